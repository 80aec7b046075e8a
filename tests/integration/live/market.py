"""Energy-Charts on loopback: the recorded market day, every day, at the present date."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
import json
from threading import Thread
from typing import Any, override
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from tests.source_world import recorded

RECORDED: Mapping[str, Any] = recorded("electricity_pricing/energy_charts/price_de_lu.json")
RECORDED_DAY = date(2026, 11, 20)
ZONE = ZoneInfo("Europe/Brussels")
SLOT = timedelta(minutes=15)
DEARER = {"DE-LU": 0.0, "AT": 20.0}
"""EUR/MWh above the recorded prices, by bidding zone, so that one can tell them apart; no others are answered."""


def _recorded_prices() -> dict[time, float]:
    """Return EUR/MWh by the local time of the recorded day."""
    local = [datetime.fromtimestamp(second, ZONE) for second in RECORDED["unix_seconds"]]
    known = zip(local, RECORDED["price"], strict=True)
    return {at.time(): price for at, price in known if at.date() == RECORDED_DAY}


PRICES = _recorded_prices()


def price_at(bidding_zone: str, moment: datetime) -> float:
    """Return the price of a bidding zone in EUR/MWh: the recorded one of the same local time."""
    local = moment.astimezone(ZONE)
    begin = local.time().replace(minute=local.minute // 15 * 15, second=0, microsecond=0)
    return float(PRICES[begin]) + DEARER[bidding_zone]


def answer(bidding_zone: str, start: date, end: date) -> dict[str, Any]:
    """Return what Energy-Charts answers for the days from `start` to `end`, both included."""
    at = datetime.combine(start, time(), ZONE).astimezone(UTC)
    until = datetime.combine(end + timedelta(days=1), time(), ZONE).astimezone(UTC)
    starts = []
    while at < until:
        starts.append(at)
        at += SLOT
    return {
        **RECORDED,
        "unix_seconds": [int(moment.timestamp()) for moment in starts],
        "price": [price_at(bidding_zone, moment) for moment in starts],
    }


class _Market(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path != "/price" or query.get("bzn") not in DEARER:
            self.send_error(404)
            return
        days = (date.fromisoformat(query[name]) for name in ("start", "end"))
        body = json.dumps(answer(query["bzn"], *days)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: requests are no news."""


class Market:
    """The server; between `close` and `open` it refuses connections."""

    def __init__(self, port: int) -> None:
        """Belong to a port."""
        self._port = port
        self._running: tuple[HTTPServer, Thread] | None = None

    def open(self) -> None:
        """Answer from now on."""
        server = HTTPServer(("127.0.0.1", self._port), _Market)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        self._running = server, thread
        thread.start()

    def close(self) -> None:
        """Answer no longer."""
        if self._running is not None:
            server, thread = self._running
            self._running = None
            server.shutdown()
            server.server_close()
            thread.join()
