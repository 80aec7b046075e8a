"""For each provider one good world: its options, its answers, its home, and what it says there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from custom_components.strata.sources.base import Home, Json
from tests.source_world import BERLIN, LONDON, Answer, FakeAccess, recorded

CARBON, PRICE = "carbon_intensity", "electricity_pricing"


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A provider's good world and the main value it says there."""

    options: Mapping[str, object]
    home: Home = BERLIN
    answers: Mapping[str, str] = field(default_factory=dict)
    """Part of the URL: fixture."""
    entity: str | None = None
    """Fixture of states by entity id; without ids those of the option `entity`."""
    platform: str | None = None
    action: str | None = None
    """Fixture of what an action answers."""
    value: float
    unit: str
    unit_at: tuple[str, ...] = ()
    """Where in an answer its unit is: URL part, then keys; a number is a place in a list."""

    def payloads(self) -> dict[str, Any]:
        return {part: recorded(path) for part, path in self.answers.items()}

    def access(self) -> FakeAccess:
        access = FakeAccess()
        if self.entity is not None:
            known: dict[str, Any] = recorded(self.entity)
            states = {str(self.options["entity"]): known} if "state" in known else known
            for entity_id, saved in states.items():
                access.add(entity_id, saved["state"], platform=self.platform, **saved["attributes"])
        if self.action is not None:
            answer: Json = recorded(self.action)
            access.actions = lambda domain, name, parameters: answer
        return access


def routes(payloads: Mapping[str, Any]) -> dict[str, Answer]:
    """Return the answers of decoded payloads."""
    return {part: Answer.of(payload) for part, payload in payloads.items()}


RECORDINGS: Mapping[tuple[str, str], Recording] = {
    (CARBON, "neso"): Recording(
        options={},
        home=LONDON,
        answers={
            "/intensity/2026-11-20T18:00Z/fw48h": f"{CARBON}/neso/national_48h.json",
            "/generation": f"{CARBON}/neso/generation.json",
        },
        value=210.0,
        unit="gCO2eq/kWh",
    ),
    (CARBON, "energy_charts"): Recording(
        options={"country": "de"},
        answers={
            "/public_power": f"{CARBON}/energy_charts/public_power_de.json",
            "/ren_share_forecast": f"{CARBON}/energy_charts/ren_share_forecast_de.json",
        },
        value=316.28302,
        unit="gCO2eq/kWh",
    ),
    (CARBON, "entity"): Recording(
        options={"entity": "sensor.electricity_maps_co2_intensity"},
        entity=f"{CARBON}/entity/co2signal.json",
        value=474.0,
        unit="gCO2eq/kWh",
    ),
    (PRICE, "energy_charts"): Recording(
        options={"bidding_zone": "DE-LU"},
        answers={"/price": f"{PRICE}/energy_charts/price_de_lu.json"},
        value=0.147,
        unit="EUR/kWh",
        unit_at=("/price", "unit"),
    ),
    (PRICE, "awattar_de"): Recording(
        options={},
        answers={"/v1/marketdata": f"{PRICE}/awattar_de/marketdata.json"},
        value=0.150,
        unit="EUR/kWh",
        unit_at=("/v1/marketdata", "data", "*", "unit"),
    ),
    (PRICE, "awattar_at"): Recording(
        options={},
        answers={"/v1/marketdata": f"{PRICE}/awattar_at/marketdata.json"},
        value=0.150,
        unit="EUR/kWh",
        unit_at=("/v1/marketdata", "data", "*", "unit"),
    ),
    (PRICE, "entity"): Recording(
        options={"entity": "sensor.epex_spot_price"},
        entity=f"{PRICE}/entity/epex_spot.json",
        value=0.25,
        unit="EUR/kWh",
    ),
    (PRICE, "action"): Recording(
        options={"entity": "sensor.epex_spot_price"},
        entity=f"{PRICE}/entity/epex_spot.json",
        platform="energyzero",
        action=f"{PRICE}/action/energyzero.json",
        value=0.150,
        unit="EUR/kWh",
    ),
}

type DayAnswer = Callable[[datetime, timedelta, Sequence[float]], Any]
"""Writes prices per kWh, from a start on and each for a length, as a provider's answer does."""


def _energy_charts(start: datetime, length: timedelta, prices: Sequence[float]) -> Any:
    begin, step = int(start.timestamp()), int(length.total_seconds())
    return {
        "license_info": "CC BY 4.0",
        "unix_seconds": [begin + index * step for index in range(len(prices))],
        "price": [price * 1000 for price in prices],
        "unit": "EUR / MWh",
        "deprecated": False,
    }


def _awattar(start: datetime, length: timedelta, prices: Sequence[float]) -> Any:
    begin, step = int(start.timestamp()) * 1000, int(length.total_seconds()) * 1000
    rows = [
        {
            "start_timestamp": begin + index * step,
            "end_timestamp": begin + (index + 1) * step,
            "marketprice": price * 1000,
            "unit": "Eur/MWh",
        }
        for index, price in enumerate(prices)
    ]
    return {"object": "list", "data": rows, "url": "/de/v1/marketdata"}


def _rows(start: datetime, length: timedelta, prices: Sequence[float]) -> Any:
    return [{"time": (start + index * length).isoformat(), "price": price} for index, price in enumerate(prices)]


DAY_ANSWERS: Mapping[str, DayAnswer] = {
    "energy_charts": _energy_charts,
    "awattar_de": _awattar,
    "awattar_at": _awattar,
    "entity": _rows,
    "action": _rows,
}
