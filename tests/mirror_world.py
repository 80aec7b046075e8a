"""What the mirror's tests stand on: a store with a home in it, and real servers on loopback."""

from collections.abc import Callable, Mapping, Sequence
import contextlib
import json
from pathlib import Path
import random
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request

from custom_components.strata.core.model import Kind, Row, Series, SeriesKey
from custom_components.strata.mirror.parcels import Plan
from custom_components.strata.mirror.selection import DEFAULT_CONTENTS, Content, Layout
from custom_components.strata.store.reader import StoreReader
from custom_components.strata.store.sqlite import SqliteStore

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
START = 1_790_000_000 * SECOND // HOUR * HOUR
"""The hour the tests' home begins in, September 2026."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class DirectStore:
    """A store and its reader on the loop's own thread: the mirror's view of the worker, without threads."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.reader = store.reader()

    async def read[T](self, work: Callable[[StoreReader], T]) -> T:
        return work(self.reader)

    async def write[T](self, work: Callable[[SqliteStore], T]) -> T:
        return work(self.store)

    def reopen(self) -> None:
        self.reader.close()
        self.reader = self.store.reader()

    def close(self) -> None:
        self.reader.close()


def plan_of(
    store: SqliteStore, contents: frozenset[Content] = DEFAULT_CONTENTS, *, base: str = "strata", **more: object
) -> Plan:
    def series_of(number: int) -> Series | None:
        return next((series for series in store.all_series() if series.id == number), None)

    return Plan(contents, Layout(base=base, per_tier=True), store.ladder, series_of, **more)


def entity(store: SqliteStore, name: str, kind: Kind = Kind.MEASUREMENT, **more: object) -> Series:
    entity_id = f"sensor.{name}"
    labels = {"entity_id": entity_id, "domain": "sensor", "friendly_name": name.title(), "area_id": "kitchen"}
    field = "state" if kind is Kind.TEXT else "value"
    return store.series(SeriesKey.of_entity("home_assistant_events", name, field), kind=kind, labels=labels, **more)


def busy_home(
    store: SqliteStore,
    *,
    events: int,
    entities: int = 150,
    start: int = START,
    span: int = DAY,
    seed: int = 1,
    each_hour: Callable[[int], None] = lambda now: None,
) -> dict[str, dict[int, float]]:
    """Write a span of a home's life as its worker would, hour by hour; return value by time and entity id."""
    rng = random.Random(seed)
    series = [entity(store, f"power_{number}", unit="W") for number in range(entities)]
    truth: dict[str, dict[int, float]] = {one.labels["entity_id"]: {} for one in series}
    hours = max(1, span // HOUR)
    for hour in range(hours):
        begin = start + hour * HOUR
        moments = sorted(rng.sample(range(begin, begin + HOUR, 1000), events // hours))
        rows = []
        for moment in moments:
            one = rng.choice(series)
            # Quarters add up exactly in binary, whatever the order.
            value = rng.randrange(0, 16_000) / 4
            rows.append(Row(one, moment, value))
            truth[one.labels["entity_id"]][moment] = value
        for low in range(0, len(rows), 500):
            store.write(rows[low : low + 500], heartbeat=rows[low].time)
        store.roll_up(begin + HOUR + 20 * SECOND)
        each_hour(begin + HOUR)
    return truth


class RealServer:
    """A server's own program, on a port and in a folder of its own."""

    def __init__(self, command: Sequence[str], port: int, log: Path, ready: str) -> None:
        self.command, self.port, self.log, self.ready = command, port, log, ready
        self.url = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = 30) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}{self.ready}", timeout=2):
                return
            time.sleep(0.05)
        raise AssertionError(f"{self.command[0]} did not start:\n{self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        """Let it accept connections, as the kernel does for it, and never answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, path: str, parameters: Mapping[str, str], *, post: bool = False) -> str:
        query = urllib.parse.urlencode(parameters)
        request = urllib.request.Request(f"{self.url}{path}?{query}", method="POST" if post else "GET")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def influxql(self, statement: str, database: str = "") -> list[dict[str, object]]:
        """Return the series that InfluxDB answers with."""
        answer = json.loads(self.ask("/query", {"q": statement, "db": database, "epoch": "ns"}, post=True))
        assert "error" not in answer["results"][0], answer
        return answer["results"][0].get("series", [])

    def totals(self, database: str, field: str = "value", tag: str = "entity_id") -> dict[str, tuple[int, float]]:
        """Return count and sum of a field by tag, as the server adds them up."""
        statement = f'SELECT COUNT("{field}"), SUM("{field}") FROM "home_assistant_events" GROUP BY "{tag}"'
        return {
            series["tags"][tag]: (series["values"][0][1], series["values"][0][2])
            for series in self.influxql(statement, database)
        }


def influxdb(program: Path, folder: Path, *, max_body: int = 25_000_000, auth: bool = False) -> RealServer:
    """Return a real InfluxDB 1.6 that is not started yet."""
    port, rpc = free_port(), free_port()
    config = folder / "influxdb.conf"
    config.write_text(
        f"""reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  auth-enabled = {str(auth).lower()}
  max-body-size = {max_body}
"""
    )
    return RealServer([str(program), "-config", str(config)], port, folder / "influxdb.log", "/ping")


def victoria_metrics(program: Path, folder: Path) -> RealServer:
    """Return a real VictoriaMetrics that is not started yet."""
    port = free_port()
    command = [
        str(program),
        f"-storageDataPath={folder}/vm",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=10y",
        "-memory.allowedBytes=128MB",
    ]
    return RealServer(command, port, folder / "vm.log", "/health")


def truth_totals(truth: Mapping[str, Mapping[int, float]]) -> dict[str, tuple[int, float]]:
    """Return count and sum of what was written, by entity id."""
    return {name: (len(values), sum(values.values())) for name, values in truth.items() if values}
