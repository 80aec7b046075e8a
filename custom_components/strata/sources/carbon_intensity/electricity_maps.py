"""Anywhere: Electricity Maps, which follows imports to where they were generated."""

from datetime import datetime, timedelta
from typing import Final, override

from ...core.forecast import infer_slots
from ...core.model import Forecast
from ..answer import mapping, moment, number, sequence
from ..base import Context, Json, Param, ParamKind, Provider, Quota, Reading, SourceError, SourceNoData
from .intensity import FORESEEN, FOSSIL, INTENSITY, RENEWABLE, UNIT

WHOLE: Final = 100.0
STRICT: Final = {"disableCallerLookup": "true"}
"""Without it a place it does not know is silently taken for where the request comes from."""


class ElectricityMaps(Provider):
    """Lifecycle intensity (gCO2eq/kWh) of consumption in a zone, its shares and, where paid for, its forecast.

    https://app.electricitymaps.com/docs, version 4. A key; the free one is for one zone and has no forecast.
    """

    key = "electricity_maps"
    base_url = "https://api.electricitymaps.com"
    params = (
        Param(key="api_key", kind=ParamKind.SECRET),
        Param(key="zone", kind=ParamKind.TEXT, required=False, pattern=r"[A-Za-z]{2}(-[A-Za-z0-9]{1,8}){0,3}"),
        Param(key="forecast", kind=ParamKind.BOOLEAN, required=False),
    )
    quota = Quota(requests=60, period=timedelta(hours=1))
    attribution = "Electricity Maps"

    @override
    def title(self) -> str:
        return str(self.options.get("zone") or "").upper()

    @override
    def lacks(self) -> frozenset[str]:
        return frozenset() if self.options.get("forecast") else FORESEEN

    @override
    async def fetch(self, context: Context) -> Reading:
        now = context.now()
        latest = mapping(await self._get(context, "/v4/carbon-intensity/latest"), "the answer")
        value = number(latest.get("carbonIntensity"))
        if value is None:
            raise SourceNoData("Electricity Maps has no value for this zone")
        zone = str(latest.get("zone") or self.title() or context.home.country)
        if self.title() and zone.upper() != self.title():
            raise SourceNoData(f"Electricity Maps answers for {zone}, which was not asked for")
        mix = await self._mix(context)
        free = number(mix.get("fossilFreePercentage"))
        return Reading(
            fields={
                INTENSITY: value,
                RENEWABLE: number(mix.get("renewablePercentage")),
                FOSSIL: None if free is None else WHOLE - free,
            },
            tags={"region": zone, "grid_operator": "Electricity Maps"},
            observed_at=moment(latest.get("datetime")),
            fetched_at=now,
            unit=UNIT,
            forecasts=await self._forecasts(context, now) if self.options.get("forecast") else {},
            estimated=bool(latest.get("isEstimated")),
            attribution=self.attribution,
        )

    async def _get(self, context: Context, path: str) -> Json:
        home = {"lat": f"{context.home.latitude}", "lon": f"{context.home.longitude}"}
        place = {"zone": self.title()} if self.title() else home
        return await context.get_json(
            path, params={**place, **STRICT}, headers={"auth-token": str(self.options["api_key"])}
        )

    async def _mix(self, context: Context) -> dict[str, Json]:
        try:
            return mapping(await self._get(context, "/v4/power-breakdown/latest"), "the mix")
        except SourceError:
            # The intensity is worth having without the mix.
            return {}

    async def _forecasts(self, context: Context, now: datetime) -> dict[str, Forecast]:
        try:
            answer = mapping(await self._get(context, "/v4/carbon-intensity/forecast"), "the forecast")
            rows = [mapping(row, "an hour") for row in sequence(answer.get("forecast"), "forecast")]
            slots = infer_slots((moment(row.get("datetime")), number(row.get("carbonIntensity"))) for row in rows)
        except SourceError, ValueError:
            # As with the mix: a plan without the forecast is told apart by its entities staying unknown.
            return {}
        return {INTENSITY: Forecast(UNIT, now, slots)} if slots else {}
