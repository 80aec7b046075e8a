"""Answers of the outside services as they look today, whatever day it is: made from daily profiles.

Shapes, units and quirks are those the services document (carbonintensity.org.uk, energy-charts.info, awattar.de);
the values are made up, so that what the home has to show can be told from the tables here.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

type Json = object

MARKET = ZoneInfo("Europe/Brussels")
PUBLISHED = time(13, 0)
"""From then on the next day's prices are known."""

# Each hour of the market's day, EUR/MWh; noon is free and the sun pays for the hour after it.
PRICES = (62, 57, 52, 48, 47, 53, 74, 98, 112, 91, 58, 27, 4, -6, 8, 31, 69, 117, 142, 151, 119, 96, 83, 71)
# Each hour of the day in UTC, gCO2/kWh.
INTENSITIES = (
    *(148, 142, 139, 137, 140, 151, 176, 205, 218, 201, 182, 166),
    *(158, 155, 161, 178, 209, 246, 263, 258, 241, 214, 186, 162),
)
BRITISH_MIX = {"biomass": 5.1, "coal": 0.0, "imports": 9.4, "gas": 36.2, "nuclear": 13.8, "other": 0.0, "hydro": 1.4,
               "solar": 2.6, "wind": 31.5}  # fmt: skip
# MW; what is no generation is in real answers too.
GERMAN_MIX = {"Hydro pumped storage consumption": -310.0, "Cross border electricity trading": -2150.0,
              "Hydro Run-of-River": 1620.0, "Biomass": 4480.0, "Fossil brown coal / lignite": 9120.0,
              "Fossil hard coal": 4310.0, "Fossil gas": 8240.0, "Wind offshore": 3900.0, "Wind onshore": 16380.0,
              "Solar": 6120.0, "Waste": 690.0, "Load": 55410.0, "Residual load": 29010.0}  # fmt: skip


def quarter_price(moment: datetime) -> float:
    """Return the price of the quarter of an hour that contains `moment`, EUR/MWh."""
    local = moment.astimezone(MARKET)
    return PRICES[local.hour] + (-3.0, -1.0, 1.0, 3.0)[local.minute // 15]


def hour_price(moment: datetime) -> float:
    """Return the price of the hour that contains `moment`, EUR/MWh."""
    return float(PRICES[moment.astimezone(MARKET).hour])


def british_intensity(moment: datetime) -> float:
    """Return the intensity of the half hour that contains `moment`, gCO2/kWh."""
    utc = moment.astimezone(UTC)
    return INTENSITIES[utc.hour] + (0.0 if utc.minute < 30 else 4.0)


def neso_half_hours(begin: str) -> Json:
    """Answer `/intensity/{begin}/fw48h`: the half hour that runs and the next 48 hours."""
    first = datetime.strptime(begin, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
    rows = []
    for index in range(97):
        start = first + timedelta(minutes=30) * index
        value = round(british_intensity(start))
        rows.append(
            {
                "from": f"{start:%Y-%m-%dT%H:%MZ}",
                "to": f"{start + timedelta(minutes=30):%Y-%m-%dT%H:%MZ}",
                "intensity": {"forecast": value, "actual": value if index == 0 else None, "index": "moderate"},
            }
        )
    return {"data": rows}


def neso_generation(now: datetime) -> Json:
    """Answer `/generation`."""
    start = now.astimezone(UTC).replace(minute=now.minute // 30 * 30, second=0, microsecond=0)
    mix = [{"fuel": fuel, "perc": percent} for fuel, percent in BRITISH_MIX.items()]
    span = {"from": f"{start:%Y-%m-%dT%H:%MZ}", "to": f"{start + timedelta(minutes=30):%Y-%m-%dT%H:%MZ}"}
    return {"data": {**span, "generationmix": mix}}


def public_power(start: str, end: str) -> Json:
    """Answer `/public_power` in quarters of an hour; the newest of some series is still missing."""
    first, last = (datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC) for text in (start, end))
    first = first.replace(minute=first.minute // 15 * 15)
    times = [round((first + timedelta(minutes=15) * index).timestamp()) for index in range((last - first) // QUARTER)]
    types = [
        {"name": name, "data": [value] * (len(times) - 1) + [None if name == "Solar" else value]}
        for name, value in GERMAN_MIX.items()
    ]
    return {"unix_seconds": times, "production_types": types, "deprecated": False}


QUARTER = timedelta(minutes=15)


def ren_share_forecast(now: datetime) -> Json:
    """Answer `/ren_share_forecast` for today."""
    times = _quarters(now.astimezone(MARKET).date())
    shares = [45.0 + 40.0 * (10 <= moment.astimezone(MARKET).hour < 16) for moment in times]
    seconds = [round(moment.timestamp()) for moment in times]
    return {"unix_seconds": seconds, "ren_share": shares, "substitute": False, "deprecated": False}


def energy_charts_prices(now: datetime, start: str, end: str) -> Json:
    """Answer `/price` for the days asked for, as far as they are published."""
    day, days = date.fromisoformat(start), []
    while day <= min(date.fromisoformat(end), _published_until(now)):
        days += _quarters(day)
        day += timedelta(days=1)
    return {
        "license_info": "CC BY 4.0 (creativecommons.org/licenses/by/4.0) from Bundesnetzagentur | SMARD.de",
        "unix_seconds": [round(moment.timestamp()) for moment in days],
        "price": [quarter_price(moment) for moment in days],
        "unit": "EUR / MWh",
        "deprecated": False,
    }


def open_meteo(now: datetime) -> Json:
    """Open-Meteo's answer: from yesterday on, 12.1 µg/m³ of fine particles and less of anything that counts more."""
    begin = datetime.combine(now.date() - timedelta(days=1), time(), UTC)
    hours = range(6 * 24)
    steady = {"pm2_5": 12.1, "pm10": 18.5, "ozone": 40.5, "nitrogen_dioxide": 18.5, "sulphur_dioxide": 2.5}
    columns = {
        name: [value] * len(hours) for name, value in {**steady, "carbon_monoxide": 215.5, "uv_index": 1.5}.items()
    }
    return {
        "utc_offset_seconds": 0,
        "hourly_units": {"time": "unixtime", **dict.fromkeys(columns, "μg/m³"), "uv_index": ""},
        "hourly": {"time": [int(begin.timestamp()) + 3600 * hour for hour in hours], **columns},
    }


def awattar_marketdata(now: datetime, start: str, end: str) -> Json:
    """Answer `/v1/marketdata` for the hours asked for, as far as they are published."""
    first, last = (datetime.fromtimestamp(int(text) / 1000, UTC) for text in (start, end))
    rows = []
    while first < last and first.astimezone(MARKET).date() <= _published_until(now):
        until = first + timedelta(hours=1)
        rows.append(
            {
                "start_timestamp": round(first.timestamp() * 1000),
                "end_timestamp": round(until.timestamp() * 1000),
                "marketprice": hour_price(first),
                "unit": "Eur/MWh",
            }
        )
        first = until
    return {"object": "list", "data": rows, "url": "/v1/marketdata"}


def _published_until(now: datetime) -> date:
    local = now.astimezone(MARKET)
    return local.date() + timedelta(days=1 if local.time() >= PUBLISHED else 0)


def _quarters(day: date) -> list[datetime]:
    """Return the quarters of an hour of a market day of 23, 24 or 25 hours."""
    start, end = (datetime.combine(d, time(), MARKET).astimezone(UTC) for d in (day, day + timedelta(days=1)))
    return [start + QUARTER * index for index in range((end - start) // QUARTER)]
