"""Which monitors OpenAQ has near a place, and what one of them says."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from ...core.aqi import CO, NO2, O3, PM2_5, PM10, SO2
from ..answer import mapping, moment, number, sequence
from ..base import Json
from .air import in_micrograms

NAMES: Final[Mapping[str, str]] = {"pm25": PM2_5, "pm10": PM10, "o3": O3, "no2": NO2, "so2": SO2, "co": CO}
FRESH: Final = timedelta(hours=3)

type Station = dict[str, Json]


def rows_of(answer: Json) -> list[dict[str, Json]]:
    """Return the results of an answer.

    Raises:
        SourceBadAnswer: it has no list of objects.
    """
    results = sequence(mapping(answer, "the answer").get("results"), "results")
    return [mapping(row, "one of results") for row in results]


def nearest(stations: list[Station], now: datetime, count: int) -> list[Station]:
    """Return what we need of the nearest stations that measure something we know and are alive, the nearest first."""
    alive = [station for station in stations if _is_alive(station, now)]
    alive.sort(key=lambda station: number(station.get("distance")) or 0.0)
    return [{key: station.get(key) for key in ("id", "name", "sensors")} for station in alive[:count]]


def _is_alive(station: Station, now: datetime) -> bool:
    newest, sensors = station.get("datetimeLast"), station.get("sensors")
    if not isinstance(newest, dict) or not isinstance(sensors, list):
        return False
    parameters = [mapping(mapping(sensor, "a sensor").get("parameter"), "parameter") for sensor in sensors]
    measures = any(str(parameter.get("name")) in NAMES for parameter in parameters)
    return measures and now - moment(newest.get("utc")) < FRESH


def newest_values(station: Station, rows: list[dict[str, Json]], now: datetime) -> tuple[dict[str, float], datetime]:
    """Return the fresh concentrations (µg/m³) by pollutant, empty for none, and when the newest was measured.

    Rows name no parameter: the station's list of sensors does.
    """
    known = [mapping(sensor, "a sensor") for sensor in sequence(station.get("sensors"), "sensors")]
    sensors = {str(sensor.get("id")): sensor for sensor in known}
    values: dict[str, float] = {}
    newest = now - FRESH
    for row in rows:
        observed = moment(mapping(row.get("datetime"), "datetime").get("utc"))
        found = _concentration(sensors.get(str(row.get("sensorsId")), {}), number(row.get("value")))
        if found is not None and now - observed < FRESH:
            values[found[0]] = found[1]
            newest = max(newest, observed)
    return values, newest


def _concentration(sensor: dict[str, Json], value: float | None) -> tuple[str, float] | None:
    """Return the pollutant and µg/m³ of a value; None for what we do not know."""
    parameter = sensor.get("parameter")
    if value is None or not isinstance(parameter, dict) or (name := NAMES.get(str(parameter.get("name")))) is None:
        return None
    return name, in_micrograms(name, value, parameter.get("units"), name)
