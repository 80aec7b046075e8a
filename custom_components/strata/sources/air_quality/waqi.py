"""Anywhere: the station nearest to a place in the World Air Quality Index project."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, override

from ...core.aqi import CO, NO2, O3, PM2_5, PM10, POLLUTANTS, SO2
from ..answer import mapping, moment, number
from ..base import (
    Context,
    Json,
    Param,
    ParamKind,
    Provider,
    Quota,
    Reading,
    SourceNoData,
    SourceRateLimited,
    SourceUnauthorized,
)
from .air import EUROPEAN, OVERALL, PLACE, UV, Air, air_reading, coordinates, place_title

NAMES: Final[Mapping[str, str]] = {"pm25": PM2_5, "pm10": PM10, "o3": O3, "no2": NO2, "so2": SO2, "co": CO}


class Waqi(Provider):
    """The index of each pollutant as the project computes it; it tells no concentrations.

    https://aqicn.org/api. A free token. Its terms allow neither archives nor passing on, so nothing is recorded.
    """

    key = "waqi"
    base_url = "https://api.waqi.info"
    params = (
        Param(key="api_key", kind=ParamKind.SECRET),
        Param(key="station", kind=ParamKind.TEXT, required=False, pattern=r"[0-9]{1,9}"),
        PLACE,
    )
    quota = Quota(requests=60, period=timedelta(hours=1))
    recorded = False
    attribution = "World Air Quality Index Project"

    @override
    def title(self) -> str:
        return str(self.options.get("station") or place_title(self.options))

    @override
    def lacks(self) -> frozenset[str]:
        return frozenset({EUROPEAN, UV, *POLLUTANTS})

    @override
    async def fetch(self, context: Context) -> Reading:
        latitude, longitude = coordinates(self.options, context.home)
        station = self.options.get("station")
        feed = f"@{station}" if station else f"geo:{latitude};{longitude}"
        answer = await context.get_json(f"/feed/{feed}/", params={"token": str(self.options["api_key"])})
        data = _data(mapping(answer, "the answer"))
        parts = mapping(data.get("iaqi"), "iaqi")
        given = {
            ours: number(part.get("v")) for name, ours in NAMES.items() if isinstance(part := parts.get(name), dict)
        }
        air = Air(
            location=str(mapping(data.get("city"), "city").get("name") or data.get("idx")),
            observed_at=moment(mapping(data.get("time"), "time").get("iso")),
            given={**given, OVERALL: number(data.get("aqi"))},
        )
        return air_reading(context, air, _attribution(data.get("attributions")))


def _data(answer: dict[str, Json]) -> dict[str, Json]:
    """Return what a feed says.

    Raises:
        SourceUnauthorized: the token is refused.
        SourceRateLimited: it has been used too often.
        SourceNoData: there is no such station, or it says nothing.
    """
    if answer.get("status") != "ok":
        said = str(answer.get("data") or answer.get("message")).lower()
        if "key" in said:
            raise SourceUnauthorized("the token is refused")
        if "quota" in said:
            raise SourceRateLimited("the token has been used too often")
        raise SourceNoData("WAQI has no such station")
    return mapping(answer.get("data"), "data")


def _attribution(rows: Json) -> str:
    """Return who measures, as the project asks to say."""
    sources = rows if isinstance(rows, list) else []
    names = [str(row["name"]) for row in sources if isinstance(row, dict) and row.get("name")]
    return ", ".join(dict.fromkeys([*names, "World Air Quality Index Project"]))
