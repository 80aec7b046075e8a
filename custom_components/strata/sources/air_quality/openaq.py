"""Anywhere: the nearest monitor that OpenAQ collects."""

from datetime import timedelta
from typing import Final, override

from ..answer import mapping, moment, sequence
from ..base import Context, Json, Param, ParamKind, Provider, Quota, Reading, SourceNoData
from .air import PLACE, UV, Air, air_reading, coordinates, place_title, remembered
from .openaq_stations import Station, nearest, newest_values, rows_of

RADIUS_M: Final = 25_000
"""The widest circle OpenAQ accepts."""
TRIED: Final = 3
"""How many monitors are asked in turn: of the nearest, the sensors we know may be dead."""
LOOKED_UP_FOR: Final = timedelta(days=1)


class OpenAQ(Provider):
    """The newest concentrations of the nearest monitor that is alive, or of the one whose number is given.

    https://docs.openaq.org, version 3. A free key. Means over several hours are known once as many have been fetched.
    """

    key = "openaq"
    base_url = "https://api.openaq.org"
    params = (
        Param(key="api_key", kind=ParamKind.SECRET),
        Param(key="station", kind=ParamKind.TEXT, required=False, pattern=r"[0-9]{1,9}"),
        PLACE,
    )
    quota = Quota(requests=50, period=timedelta(minutes=1))
    attribution = "OpenAQ and the providers it names"

    @override
    def title(self) -> str:
        return str(self.options.get("station") or place_title(self.options))

    @override
    def lacks(self) -> frozenset[str]:
        return frozenset({UV})

    @override
    async def fetch(self, context: Context) -> Reading:
        stations = await self._stations(context)
        for station in stations:
            rows = rows_of(await self._get(context, f"/v3/locations/{station.get('id')}/latest"))
            values, observed_at = newest_values(station, rows, context.now())
            if values:
                break
        else:
            # They are looked for anew next time.
            context.memory.pop("stations", None)
            raise SourceNoData("no monitor near this place has measured anything in the last hours")
        self._settle_on(context, station, stations)
        air = Air(
            location=str(station.get("name") or station.get("id")),
            observed_at=observed_at,
            hours=remembered(context, observed_at, values),
        )
        return air_reading(context, air, self.attribution)

    async def _get(self, context: Context, path: str, **params: str) -> Json:
        return await context.get_json(path, params=params, headers={"X-API-Key": str(self.options["api_key"])})

    async def _stations(self, context: Context) -> list[Station]:
        """Return the monitors as they were looked up in the last day, else look them up."""
        kept = context.memory.get("stations")
        if isinstance(kept, dict) and context.now() - moment(kept.get("at")) < LOOKED_UP_FOR:
            return [mapping(station, "a monitor") for station in sequence(kept.get("found"), "the monitors")]
        if chosen := self.options.get("station"):
            answer = await self._get(context, f"/v3/locations/{chosen}")
        else:
            latitude, longitude = coordinates(self.options, context.home)
            near = {"coordinates": f"{latitude},{longitude}", "radius": f"{RADIUS_M}", "limit": "100"}
            answer = await self._get(context, "/v3/locations", **near)
        if not (found := nearest(rows_of(answer), context.now(), TRIED)):
            raise SourceNoData("OpenAQ has no monitor near this place that is alive")
        context.memory["stations"] = {"at": context.now().isoformat(), "found": [*found]}
        return found

    def _settle_on(self, context: Context, station: Station, stations: list[Station]) -> None:
        """Ask this monitor first next time; hours of another are no past of it."""
        kept = context.memory.get("stations")
        if isinstance(kept, dict) and station is not stations[0]:
            others = [one for one in stations if one is not station]
            context.memory["stations"] = {**kept, "found": [station, *others]}
        if context.memory.get("station") != station.get("id"):
            context.memory.pop("hours", None)
        context.memory["station"] = station.get("id")
