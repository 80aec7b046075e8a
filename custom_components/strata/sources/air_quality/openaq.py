"""Anywhere: the nearest monitor that OpenAQ collects."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, override

from ...core.aqi import CO, NO2, O3, PM2_5, PM10, SO2
from ..answer import mapping, moment, number, sequence
from ..base import Context, Json, Param, ParamKind, Provider, Quota, Reading, SourceError, SourceNoData
from .air import PLACE, UV, Air, air_reading, coordinates, in_micrograms, place_title, remembered

NAMES: Final[Mapping[str, str]] = {"pm25": PM2_5, "pm10": PM10, "o3": O3, "no2": NO2, "so2": SO2, "co": CO}
RADIUS_M: Final = 25_000
"""The widest circle OpenAQ accepts."""
FRESH: Final = timedelta(hours=3)
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
        station = await self._station(context)
        sensors = {str(sensor.get("id")): sensor for sensor in _mappings(station.get("sensors"), "sensors")}
        answer = mapping(await self._get(context, f"/v3/locations/{station.get('id')}/latest"), "the answer")
        values: dict[str, float | None] = {}
        times: list[datetime] = []
        for row in _mappings(answer.get("results"), "results"):
            observed = moment(mapping(row.get("datetime"), "datetime").get("utc"))
            found = _concentration(sensors.get(str(row.get("sensorsId")), {}), number(row.get("value")))
            if found is not None and context.now() - observed < FRESH:
                values[found[0]] = found[1]
                times.append(observed)
        if not times:
            # Another monitor may be alive: it is looked for next time.
            context.memory.pop("station", None)
            raise SourceNoData("the monitor has measured nothing in the last hours")
        air = Air(
            location=str(station.get("name") or station.get("id")),
            observed_at=max(times),
            hours=remembered(context, max(times), values),
        )
        return air_reading(context, air, self.attribution)

    async def _get(self, context: Context, path: str, **params: str) -> Json:
        return await context.get_json(path, params=params, headers={"X-API-Key": str(self.options["api_key"])})

    async def _station(self, context: Context) -> dict[str, Json]:
        """Return the monitor as it was looked up in the last day, else look it up."""
        kept = context.memory.get("station")
        if isinstance(kept, dict) and _is_recent(kept, context.now()):
            return mapping(kept["found"], "the monitor")
        if number_ := self.options.get("station"):
            answer = await self._get(context, f"/v3/locations/{number_}")
        else:
            latitude, longitude = coordinates(self.options, context.home)
            near = {"coordinates": f"{latitude},{longitude}", "radius": f"{RADIUS_M}", "limit": "100"}
            answer = await self._get(context, "/v3/locations", **near)
        found = _nearest(_mappings(mapping(answer, "the answer").get("results"), "results"), context.now())
        context.memory["station"] = {"at": context.now().isoformat(), "found": found}
        return found


def _is_recent(kept: dict[str, Json], now: datetime) -> bool:
    try:
        return now - moment(kept.get("at")) < LOOKED_UP_FOR and "found" in kept
    except SourceError:
        return False


def _mappings(value: Json, what: str) -> list[dict[str, Json]]:
    return [mapping(row, f"one of {what}") for row in sequence(value, what)]


def _nearest(stations: list[dict[str, Json]], now: datetime) -> dict[str, Json]:
    """Return what we need of the nearest station that measures something we know and has done so lately."""
    alive = [station for station in stations if _is_alive(station, now)]
    if not alive:
        raise SourceNoData("OpenAQ has no monitor near this place that is alive")
    chosen = min(alive, key=lambda station: number(station.get("distance")) or 0.0)
    return {key: chosen.get(key) for key in ("id", "name", "sensors")}


def _is_alive(station: dict[str, Json], now: datetime) -> bool:
    newest, sensors = station.get("datetimeLast"), station.get("sensors")
    if not isinstance(newest, dict) or not isinstance(sensors, list):
        return False
    parameters = [mapping(mapping(sensor, "a sensor").get("parameter"), "parameter") for sensor in sensors]
    measures = any(str(parameter.get("name")) in NAMES for parameter in parameters)
    return measures and now - moment(newest.get("utc")) < FRESH


def _concentration(sensor: dict[str, Json], value: float | None) -> tuple[str, float] | None:
    """Return the pollutant and µg/m³ of a value; None for what we do not know."""
    parameter = sensor.get("parameter")
    if value is None or not isinstance(parameter, dict) or (name := NAMES.get(str(parameter.get("name")))) is None:
        return None
    return name, in_micrograms(name, value, parameter.get("units"), name)
