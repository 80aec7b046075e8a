"""Electricity prices: a good world for each provider, and how each writes the prices of a day."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.contracts.recording import Recording
from tests.source_world import CHICAGO, LONDON, SYDNEY, Text

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


def _nordpool(start: datetime, length: timedelta, prices: Sequence[float]) -> Any:
    entries = [
        {
            "deliveryStart": (start + index * length).isoformat(),
            "deliveryEnd": (start + (index + 1) * length).isoformat(),
            "entryPerArea": {"SE3": price * 1000},
        }
        for index, price in enumerate(prices)
    ]
    return {"currency": "SEK", "multiAreaEntries": entries}


def _energi_data_service(start: datetime, length: timedelta, prices: Sequence[float]) -> Any:
    records = [
        {
            "TimeUTC": (start + index * length).replace(tzinfo=None).isoformat(),
            "PriceArea": "DK1",
            "DayAheadPriceDKK": price * 1000,
        }
        for index, price in enumerate(prices)
    ]
    return {"records": records}


def _tibber(start: datetime, length: timedelta, prices: Sequence[float]) -> Any:
    rows = [
        {"total": price + 0.1, "energy": price, "startsAt": (start + index * length).isoformat()}
        for index, price in enumerate(prices)
    ]
    contract = {"priceInfo": {"current": {"currency": "EUR"}, "today": rows, "tomorrow": []}}
    return {"data": {"viewer": {"homes": [{"id": "a", "appNickname": "Home", "currentSubscription": contract}]}}}


def _entsoe(start: datetime, length: timedelta, prices: Sequence[float]) -> Any:
    points = "".join(
        f"<Point><position>{index + 1}</position><price.amount>{price * 1000}</price.amount></Point>"
        for index, price in enumerate(prices)
    )
    return Text(
        '<Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"><TimeSeries>'
        "<currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>"
        f"<curveType>A03</curveType><Period><timeInterval><start>{start:%Y-%m-%dT%H:%MZ}</start>"
        f"<end>{start + len(prices) * length:%Y-%m-%dT%H:%MZ}</end></timeInterval>"
        f"<resolution>PT{length // timedelta(minutes=1)}M</resolution>{points}"
        "</Period></TimeSeries></Publication_MarketDocument>"
    )


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
    "nordpool": Recording(
        day=_nordpool,
        options={"area": "SE3", "currency": "SEK"},
        answers={
            "date=2026-11-20": f"{ROLE}/nordpool/day_ahead_2026-11-20.json",
            "date=2026-11-21": f"{ROLE}/nordpool/day_ahead_2026-11-21.json",
        },
        value=1.47,
        unit="SEK/kWh",
        currency_at=("currency",),
    ),
    "energi_data_service": Recording(
        day=_energi_data_service,
        options={"price_area": "DK1", "currency": "DKK"},
        answers={"/dataset/DayAheadPrices": f"{ROLE}/energi_data_service/day_ahead_dk1.json"},
        value=1.09662,
        unit="DKK/kWh",
    ),
    "octopus": Recording(
        options={"region": "c"},
        home=LONDON,
        answers={
            "/v1/products/?": f"{ROLE}/octopus/products.json",
            "/standard-unit-rates/": f"{ROLE}/octopus/agile_c.json",
        },
        value=0.315,
        unit="GBP/kWh",
    ),
    "comed": Recording(
        options={},
        home=CHICAGO,
        answers={"/api": f"{ROLE}/comed/current_hour_average.json"},
        value=0.025,
        unit="USD/kWh",
    ),
    "tariff": Recording(
        options={"price": 0.30, "periods": [{"rate": 0.40, "start": "17:00:00", "end": "20:00:00"}]},
        value=0.40,
        unit="EUR/kWh",
    ),
    "tibber": Recording(
        day=_tibber,
        options={"token": "secret"},
        answers={"/v1-beta/gql": f"{ROLE}/tibber/price_info.json"},
        value=0.147,
        unit="EUR/kWh",
        currency_at=("data", "viewer", "homes", "0", "currentSubscription", "priceInfo", "current", "currency"),
    ),
    "entsoe": Recording(
        day=_entsoe,
        options={"token": "secret", "bidding_zone": "DE-LU"},
        answers={"/api": f"{ROLE}/entsoe/quarters_de_lu.xml"},
        value=0.147,
        unit="EUR/kWh",
        currency_at=("currency_Unit.name",),
    ),
    "amber": Recording(
        options={"token": "secret", "resolution": "30"},
        home=SYDNEY,
        answers={"/prices/current": f"{ROLE}/amber/prices_current.json", "/v1/sites": f"{ROLE}/amber/sites.json"},
        value=0.045,
        unit="AUD/kWh",
    ),
}
