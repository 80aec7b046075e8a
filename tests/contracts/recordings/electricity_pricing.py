"""Electricity prices: a good world for each provider, and how each writes the prices of a day."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.contracts.recording import Recording

ROLE = "electricity_pricing"


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


RECORDINGS: Mapping[str, Recording] = {
    "energy_charts": Recording(
        day=_energy_charts,
        options={"bidding_zone": "DE-LU"},
        answers={"/price": f"{ROLE}/energy_charts/price_de_lu.json"},
        value=0.147,
        unit="EUR/kWh",
        unit_at=("/price", "unit"),
    ),
    "awattar_de": Recording(
        day=_awattar,
        options={},
        answers={"/v1/marketdata": f"{ROLE}/awattar_de/marketdata.json"},
        value=0.150,
        unit="EUR/kWh",
        unit_at=("/v1/marketdata", "data", "*", "unit"),
    ),
    "awattar_at": Recording(
        day=_awattar,
        options={},
        answers={"/v1/marketdata": f"{ROLE}/awattar_at/marketdata.json"},
        value=0.150,
        unit="EUR/kWh",
        unit_at=("/v1/marketdata", "data", "*", "unit"),
    ),
    "entity": Recording(
        day=_rows,
        options={"entity": "sensor.epex_spot_price"},
        entity=f"{ROLE}/entity/epex_spot.json",
        value=0.25,
        unit="EUR/kWh",
    ),
    "action": Recording(
        day=_rows,
        options={"entity": "sensor.epex_spot_price"},
        entity=f"{ROLE}/entity/epex_spot.json",
        platform="energyzero",
        action=f"{ROLE}/action/energyzero.json",
        value=0.150,
        unit="EUR/kWh",
    ),
}
