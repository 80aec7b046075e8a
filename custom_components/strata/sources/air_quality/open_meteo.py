"""Anywhere: the air quality model of Copernicus, as Open-Meteo publishes it."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
import random
from typing import ClassVar, Final, override

from ...core.aqi import CO, NO2, O3, PM2_5, PM10, SO2, dominant, sub_indices
from ...core.forecast import HOUR
from ...core.model import Forecast, Slot
from ..answer import aligned, epoch, mapping, number, sequence
from ..base import Context, Json, Provider, Quota, Reading, SourceNoData
from .air import AQI, HOURS_KEPT, PLACE, UNIT, UV, Air, air_reading, coordinates, in_micrograms, place_title, sound

VARIABLES: Final[Mapping[str, str]] = {
    PM2_5: "pm2_5",
    PM10: "pm10",
    O3: "ozone",
    NO2: "nitrogen_dioxide",
    SO2: "sulphur_dioxide",
    CO: "carbon_monoxide",
}
DAYS_AHEAD: Final = 5

type Columns = dict[str, dict[datetime, float | None]]


class OpenMeteo(Provider):
    """Concentrations, UV index, and both for five days; the US index is our own, of the model's hours.

    https://open-meteo.com/en/docs/air-quality-api. No key for non-commercial use. A model (CAMS: Europe 11 km,
    elsewhere 25 to 45 km), not a measurement, and marked as estimated.
    """

    key = "open_meteo"
    base_url = "https://air-quality-api.open-meteo.com"
    params = (PLACE,)
    quota = Quota(requests=600, period=HOUR)
    attribution = "Open-Meteo, CAMS (CC BY 4.0)"
    jitter: ClassVar[random.Random] = random.Random()

    @override
    def title(self) -> str:
        return place_title(self.options)

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        """In the first minutes of the next hour, each home at another moment."""
        return _hour(now) + HOUR + timedelta(seconds=self.jitter.uniform(30, 300))

    @override
    async def fetch(self, context: Context) -> Reading:
        latitude, longitude = coordinates(self.options, context.home)
        answer = await context.get_json(
            "/v1/air-quality",
            params={
                "latitude": f"{latitude}",
                "longitude": f"{longitude}",
                "hourly": ",".join((*VARIABLES.values(), UV)),
                "timezone": "GMT",
                "timeformat": "unixtime",
                # Yesterday too: the means of this hour reach back up to 24 hours.
                "past_days": "1",
                "forecast_days": f"{DAYS_AHEAD}",
            },
        )
        columns = _columns(mapping(answer, "the answer"))
        now = _hour(context.now())
        hours = {name: _back_from(now, column) for name, column in columns.items() if name != UV}
        if all(values[0] is None for values in hours.values()):
            raise SourceNoData("Open-Meteo has no value for this hour")
        air = Air(
            location=f"{latitude:.2f},{longitude:.2f}",
            observed_at=now,
            hours=hours,
            uv=columns[UV].get(now),
            forecasts=await _forecasts(columns, now, context.now()),
            estimated=True,
        )
        return air_reading(context, air, self.attribution)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _columns(answer: dict[str, Json]) -> Columns:
    """Return each variable's values by hour, concentrations in µg/m³."""
    hourly, units = mapping(answer.get("hourly"), "hourly"), mapping(answer.get("hourly_units"), "hourly_units")
    times = sequence(hourly.get("time"), "time")
    starts = [epoch(time) for time in times]
    columns: Columns = {}
    for name, variable in (*VARIABLES.items(), (UV, UV)):
        factor = 1.0 if name == UV else in_micrograms(name, 1.0, units.get(variable), variable)
        values = (number(value) for _, value in aligned(times, sequence(hourly.get(variable), variable), variable))
        columns[name] = dict(zip(starts, (None if value is None else factor * value for value in values), strict=True))
    return columns


def _back_from(moment: datetime, column: Mapping[datetime, float | None]) -> list[float | None]:
    return [column.get(moment - age * HOUR) for age in range(HOURS_KEPT)]


async def _forecasts(columns: Columns, start: datetime, now: datetime) -> dict[str, Forecast]:
    """Return what is foreseen from `start` on: each hour's index goes by the same means as the present one."""
    foreseen = [name for name in VARIABLES if any(value is not None for value in columns[name].values())]
    indices, uv = [], []
    for hour in sorted(hour for hour in columns[PM2_5] if hour >= start):
        # All of them take longer than the event loop may wait.
        await asyncio.sleep(0)
        hours = {name: sound(_back_from(hour, columns[name])) for name in foreseen}
        # Without one of the pollutants that are foreseen at all the hour would seem cleaner than it is.
        complete = all(values[0] is not None for values in hours.values())
        if complete and (main := dominant(sub_indices(hours))) is not None:
            indices.append(Slot(hour, hour + HOUR, float(main.value)))
        if (value := columns[UV].get(hour)) is not None:
            uv.append(Slot(hour, hour + HOUR, value))
    found = {AQI: Forecast(UNIT, now, tuple(indices)), UV: Forecast("UV index", now, tuple(uv))}
    return {name: forecast for name, forecast in found.items() if forecast.slots}
