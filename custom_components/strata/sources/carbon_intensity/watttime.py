"""Grids in North America, Europe and elsewhere: the marginal intensity of WattTime."""

from datetime import datetime, timedelta
from typing import Final, override

from ...core.forecast import infer_slots
from ...core.model import Forecast, Slot
from ...core.units import convert
from ..answer import mapping, moment, number, sequence
from ..base import Context, Json, Param, ParamKind, Provider, Quota, Reading, SourceBadAnswer
from ..errors import SourceNoData
from .intensity import AVERAGE_ONLY, CLEANEST, MARGINAL, MARGINAL_ONLY, MARGINAL_UNIT, PERCENT, PERCENTILE
from .watttime_session import signed_get

FORECAST_UNIT: Final = "lbs_co2_per_mwh"


class WattTime(Provider):
    """What one more kilowatt-hour causes (gCO2/kWh, foreseen for a day), or where that stands among the next hours.

    https://docs.watttime.org, version 3. A free account has the latter everywhere and the former for CAISO_NORTH.
    """

    key = "watttime"
    base_url = "https://api.watttime.org"
    params = (
        Param(key="username", kind=ParamKind.TEXT),
        Param(key="password", kind=ParamKind.SECRET),
        Param(key="region", kind=ParamKind.TEXT, required=False, pattern=r"[A-Za-z0-9_]+"),
        Param(key="marginal", kind=ParamKind.BOOLEAN, required=False),
    )
    quota = Quota(requests=300, period=timedelta(minutes=5))
    attribution = "WattTime"

    @override
    def title(self) -> str:
        return str(self.options.get("region") or "").upper()

    @override
    def main(self) -> str:
        return MARGINAL if self.options.get("marginal") else PERCENTILE

    @override
    def lacks(self) -> frozenset[str]:
        if self.options.get("marginal"):
            return AVERAGE_ONLY | {PERCENTILE}
        return AVERAGE_ONLY | MARGINAL_ONLY - {PERCENTILE} | {CLEANEST}

    @override
    async def fetch(self, context: Context) -> Reading:
        region, now = await self._region(context), context.now()
        slots: tuple[Slot, ...] = ()
        if self.options.get("marginal"):
            slots = _slots(await signed_get(context, self.options, "/v3/forecast", region=region, horizon_hours="24"))
            current = next((slot for slot in slots if slot.start <= now < slot.end), None)
            if current is None:
                raise SourceNoData("WattTime has no forecast for the present")
            observed_at, value = current.start, current.value
        else:
            points = _points(await signed_get(context, self.options, "/v3/signal-index", region=region), "percentile")
            if not points or points[0][1] is None:
                raise SourceNoData("WattTime has no value for this region")
            observed_at, value = points[0][0], points[0][1]
        return Reading(
            fields={self.main(): value},
            tags={"region": region, "grid_operator": "WattTime"},
            observed_at=observed_at,
            fetched_at=now,
            unit=MARGINAL_UNIT if slots else PERCENT,
            forecasts={MARGINAL: Forecast(MARGINAL_UNIT, now, slots)} if slots else {},
            attribution=self.attribution,
        )

    async def _region(self, context: Context) -> str:
        """Return the region that was entered, else the one looked up once for the home."""
        region = self.title() or context.memory.get("region")
        if not region:
            place = {"latitude": f"{context.home.latitude}", "longitude": f"{context.home.longitude}"}
            region = mapping(await signed_get(context, self.options, "/v3/region-from-loc", **place), "the region").get(
                "region"
            )
            if not isinstance(region, str) or not region:
                raise SourceNoData("WattTime does not cover this place")
            context.memory["region"] = region
        return str(region)


def _points(answer: Json, unit: str) -> list[tuple[datetime, float | None]]:
    """Return what a signal says, and refuse another unit."""
    found = mapping(answer, "the answer")
    rows = [mapping(row, "a point") for row in sequence(found.get("data"), "data")]
    if rows and mapping(found.get("meta"), "meta").get("units") != unit:
        raise SourceBadAnswer(f"the signal is not in the unit {unit}")
    return [(moment(row.get("point_time")), number(row.get("value"))) for row in rows]


def _slots(answer: Json) -> tuple[Slot, ...]:
    points = _points(answer, FORECAST_UNIT)
    try:
        return infer_slots(
            (at, None if value is None else convert(value, "lb/MWh", MARGINAL_UNIT)) for at, value in points
        )
    except ValueError:
        return ()
