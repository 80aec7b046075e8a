"""Great Britain: the Carbon Intensity API of the National Energy System Operator."""

from datetime import UTC, datetime, timedelta
import random
from typing import ClassVar, Final, override

from ...core.model import Forecast, Slot
from ..answer import mapping, moment, number, sequence
from ..base import Context, Json, Param, ParamKind, Provider, Reading, SourceError, SourceNoData
from .intensity import FOSSIL, INTENSITY, RENEWABLE, UNIT, share

HALF_HOUR: Final = timedelta(minutes=30)
LONGEST_OUTWARD: Final = 4
RENEWABLES: Final = frozenset({"biomass", "hydro", "solar", "wind"})
"""Biomass is counted as renewable, by the convention of the statistics of energy."""
FOSSILS: Final = frozenset({"coal", "gas", "oil"})
"""`imports`, `nuclear` and `other` are neither."""


class Neso(Provider):
    """Intensity (gCO2/kWh), 48 h forecast and generation mix of Great Britain or of a region of it.

    https://carbon-intensity.github.io/api-definitions. Half-hourly, no key. Of a postcode only the
    outward part is accepted, so the address never leaves the home.
    """

    key = "neso"
    base_url = "https://api.carbonintensity.org.uk"
    params = (
        Param(key="postcode", kind=ParamKind.TEXT, required=False, pattern=r"\s*[A-Za-z]{1,2}[0-9][A-Za-z0-9]?\s*"),
    )
    interval = HALF_HOUR
    countries = frozenset({"GB"})
    attribution = "Carbon Intensity API, National Energy System Operator (CC BY 4.0)"
    jitter: ClassVar[random.Random] = random.Random()

    @override
    def title(self) -> str:
        return self._outward or "GB"

    @property
    def _outward(self) -> str:
        # A whole postcode, which the form refuses, still would not be sent: its second half has three characters.
        postcode = "".join(str(self.options.get("postcode") or "").split()).upper()
        return postcode[:-3] if len(postcode) > LONGEST_OUTWARD else postcode

    @override
    async def fetch(self, context: Context) -> Reading:
        now = context.now()
        # From the whole hour on, so that the running hour is known from begin to end.
        begin = now.astimezone(UTC).strftime("%Y-%m-%dT%H:00Z")
        if self._outward:
            region = _region(await context.get_json(f"/regional/intensity/{begin}/fw48h/postcode/{self._outward}"))
            name, rows = str(region.get("shortname") or self._outward), region.get("data")
        else:
            name, rows = "GB", mapping(await context.get_json(f"/intensity/{begin}/fw48h"), "the answer").get("data")
        known = _half_hours(sequence(rows, "data"))
        slots = tuple(slot for slot, _ in known)
        current, row = next(((slot, row) for slot, row in known if slot.start <= now < slot.end), (None, {}))
        if current is None:
            raise SourceNoData("the Carbon Intensity API has no value for the present")
        mix = _mix(row if self._outward else await _national_mix(context))
        return Reading(
            fields={INTENSITY: current.value, RENEWABLE: share(mix, RENEWABLES), FOSSIL: share(mix, FOSSILS)},
            tags={"region": name, "grid_operator": "NESO"},
            observed_at=current.start,
            fetched_at=now,
            unit=UNIT,
            forecasts={INTENSITY: Forecast(UNIT, now, slots)},
            attribution=self.attribution,
        )

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        """Shortly after the next half hour begins, each home at another moment."""
        return _half_hour(now) + HALF_HOUR + timedelta(seconds=self.jitter.uniform(20, 140))


def _half_hour(moment_: datetime) -> datetime:
    utc = moment_.astimezone(UTC)
    return utc.replace(minute=utc.minute // 30 * 30, second=0, microsecond=0)


def _region(answer: Json) -> dict[str, Json]:
    """Return the region of an answer, which comes alone or, from some paths, in a list."""
    data = mapping(answer, "the answer").get("data")
    if isinstance(data, list):
        if not data:
            raise SourceNoData("the Carbon Intensity API knows no such region")
        data = data[0]
    return mapping(data, "data")


def _half_hours(rows: list[Json]) -> list[tuple[Slot, dict[str, Json]]]:
    """Return the half hours that have a value, settled or else foreseen, in time order."""
    known = {}
    for row in (mapping(row, "a half hour") for row in rows):
        intensity = mapping(row.get("intensity"), "intensity")
        actual = number(intensity.get("actual"))
        value = number(intensity.get("forecast")) if actual is None else actual
        if value is not None:
            start = moment(row.get("from"))
            known[start] = (Slot(start, start + HALF_HOUR, value), row)
    return [known[start] for start in sorted(known)]


async def _national_mix(context: Context) -> dict[str, Json]:
    try:
        answer = mapping(await context.get_json("/generation"), "the answer")
        return mapping(answer.get("data"), "data")
    except SourceError:
        # The intensity is worth having without the mix.
        return {}


def _mix(row: dict[str, Json]) -> dict[str, float]:
    """Return the percentage of each fuel; empty where there is no mix."""
    mix = row.get("generationmix")
    fuels = [mapping(fuel, "a fuel") for fuel in mix] if isinstance(mix, list) else []
    return {str(fuel.get("fuel")): percent for fuel in fuels if (percent := number(fuel.get("perc"))) is not None}
