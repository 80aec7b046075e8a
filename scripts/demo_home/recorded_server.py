"""The outside services on loopback: one port each, as they are different hosts in the world."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
import json

from aiohttp import web

from . import payloads

type Answer = Callable[[web.Request, datetime], object]


def _neso_half_hours(request: web.Request, now: datetime) -> object:
    return payloads.neso_half_hours(request.match_info["begin"])


def _public_power(request: web.Request, now: datetime) -> object:
    return payloads.public_power(request.query["start"], request.query["end"])


def _energy_charts_prices(request: web.Request, now: datetime) -> object:
    return payloads.energy_charts_prices(now, request.query["start"], request.query["end"])


def _awattar(request: web.Request, now: datetime) -> object:
    return payloads.awattar_marketdata(now, request.query["start"], request.query["end"])


_ENERGY_CHARTS: Mapping[str, Answer] = {
    "/public_power": _public_power,
    "/ren_share_forecast": lambda request, now: payloads.ren_share_forecast(now),
    "/price": _energy_charts_prices,
}
_NESO: Mapping[str, Answer] = {
    "/intensity/{begin}/fw48h": _neso_half_hours,
    "/generation": lambda request, now: payloads.neso_generation(now),
}
SERVICES: tuple[tuple[tuple[str, ...], Mapping[str, Answer]], ...] = (
    (("carbon_intensity.neso",), _NESO),
    (("carbon_intensity.energy_charts", "electricity_pricing.energy_charts"), _ENERGY_CHARTS),
    (("electricity_pricing.awattar_de",), {"/v1/marketdata": _awattar}),
    (("air_quality.open_meteo",), {"/v1/air-quality": lambda request, now: payloads.open_meteo(now)}),
)
"""The sources `<role>.<provider>` that ask a service, and its answers by path."""


def _application(answers: Mapping[str, Answer], asked: list[str]) -> web.Application:
    application = web.Application()
    for path, answer in answers.items():

        async def respond(request: web.Request, answer: Answer = answer) -> web.Response:
            asked.append(request.path)
            body = json.dumps(answer(request, datetime.now(UTC)))
            response = web.Response(text=body, content_type="application/json")
            # A connection that stays open would time out whenever the simulated clock jumps.
            response.force_close()
            return response

        application.router.add_get(path, respond)
    return application


@asynccontextmanager
async def recorded_services(asked: list[str]) -> AsyncGenerator[dict[str, str]]:
    """Serve while the block runs; give the base URL of each `<role>.<provider>`.

    Args:
        asked: takes the path of each request.
    """
    runners: list[web.AppRunner] = []
    base_urls: dict[str, str] = {}
    try:
        for names, answers in SERVICES:
            runner = web.AppRunner(_application(answers, asked), access_log=None, shutdown_timeout=1)
            runners.append(runner)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            base_urls |= dict.fromkeys(names, f"http://127.0.0.1:{port}")
        yield base_urls
    finally:
        for runner in runners:
            await runner.cleanup()
