"""United States, Canada and Mexico: what the EPA's AirNow measures."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
import random
import re
from typing import ClassVar, Final, override

from ...core.aqi import CO, NO2, O3, PM2_5, PM10, POLLUTANTS, SO2
from ...core.forecast import HOUR
from ..answer import mapping, moment, number
from ..base import (
    Context,
    Json,
    Param,
    ParamKind,
    Provider,
    Quota,
    Reading,
    SourceBadAnswer,
    SourceNoData,
    SourceUnauthorized,
)
from .air import EUROPEAN, PLACE, UV, Air, air_reading, coordinates, place_title

NAMES: Final[Mapping[str, str]] = {
    "PM2.5": PM2_5,
    "PM10": PM10,
    "OZONE": O3,
    "O3": O3,
    "NO2": NO2,
    "SO2": SO2,
    "CO": CO,
}
_ZONES: Final = (
    "SST-11 HST-10 HDT-9 AKST-9 AKDT-8 PST-8 PDT-7 MST-7 MDT-6 CST-6 CDT-5 EST-5 EDT-4 AST-4 ADT-3 "
    "NST-3.5 NDT-2.5 CHST+10"
)
OFFSETS: Final = {name: float(hours) for name, hours in re.findall(r"([A-Z]+)([+-][\d.]+)", _ZONES)}
"""Hours from UTC of the abbreviations North America's time zones have."""
PUBLISHED: Final = timedelta(minutes=35)


class AirNow(Provider):
    """The NowCast index of each pollutant near a place, of the hour; AirNow tells no concentrations.

    https://docs.airnowapi.org, the endpoints of June 2026. A free key.
    """

    key = "airnow"
    base_url = "https://www.airnowapi.org"
    params = (Param(key="api_key", kind=ParamKind.SECRET), PLACE)
    quota = Quota(requests=100, period=HOUR)
    countries = frozenset({"CA", "MX", "US"})
    attribution = "U.S. EPA AirNow"
    jitter: ClassVar[random.Random] = random.Random()

    @override
    def title(self) -> str:
        return place_title(self.options)

    @override
    def lacks(self) -> frozenset[str]:
        return frozenset({EUROPEAN, UV, *POLLUTANTS})

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        """After half past, when the hour before is published, each home at another moment."""
        due = now.replace(minute=0, second=0, microsecond=0) + PUBLISHED
        return (due if due > now else due + HOUR) + timedelta(seconds=self.jitter.uniform(0, 300))

    @override
    async def fetch(self, context: Context) -> Reading:
        latitude, longitude = coordinates(self.options, context.home)
        answer = await context.get_json(
            "/aq/observation/current/ziplatlong/",
            params={
                "format": "application/json",
                "latitude": f"{latitude}",
                "longitude": f"{longitude}",
                "API_KEY": str(self.options["api_key"]),
            },
        )
        rows = [row for row in _rows(answer) if str(row.get("parameterName")) in NAMES]
        if not rows:
            raise SourceNoData("AirNow has no monitor near this place")
        newest = max(_observed(row) for row in rows)
        known = [row for row in rows if _observed(row) == newest]
        air = Air(
            location=str(known[0].get("reportingAreaName") or f"{latitude:.2f},{longitude:.2f}"),
            observed_at=newest,
            given={NAMES[str(row["parameterName"])]: number(row.get("nowcastAQI")) for row in known},
            notes={"reporting_agency": str(known[0].get("reportingAgency") or "")},
        )
        return air_reading(context, air, self.attribution)


def _rows(answer: Json) -> list[dict[str, Json]]:
    """Return the observations.

    Raises:
        SourceUnauthorized: AirNow says that the key is wrong.
        SourceBadAnswer: it says something else.
    """
    if isinstance(answer, dict):
        if "key" in str(answer.get("WebServiceError")).lower():
            raise SourceUnauthorized("the API key is refused")
        raise SourceBadAnswer("AirNow answers with an error")
    if not isinstance(answer, list):
        raise SourceBadAnswer("the answer is not a list")
    return [mapping(row, "an observation") for row in answer]


def _observed(row: dict[str, Json]) -> datetime:
    offset = OFFSETS.get(str(row.get("localTimeZone")).strip().upper())
    if offset is None:
        raise SourceBadAnswer("an observation is in an unknown time zone")
    zone = timezone(timedelta(hours=offset))
    return moment(f"{str(row.get('dateObserved')).strip()}T{str(row.get('hourObserved')).strip()}", zone)
