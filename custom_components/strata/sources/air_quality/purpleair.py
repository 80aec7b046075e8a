"""Anywhere: one PurpleAir sensor, corrected as the EPA does."""

from datetime import timedelta
from typing import Final, override

from ...core.aqi import PM2_5, POLLUTANTS
from ..answer import epoch, mapping, number
from ..base import Context, Json, Param, ParamKind, Provider, Quota, Reading, SourceNoData
from .air import UV, Air, air_reading, remembered

FIELDS: Final = ("pm2.5_cf_1", "pm2.5_atm_a", "pm2.5_atm_b", "humidity", "last_seen", "confidence")
APART: Final = 5.0
"""µg/m³ that the two channels of a sensor may differ by."""
APART_SHARE: Final = 0.7
"""And the share of their mean, where that is more."""
LINEAR_BELOW, SMOKE_FROM = 570.0, 611.0


def corrected(concentration: float, humidity: float) -> float:
    """Return PM2.5 (µg/m³) from a sensor's reading (CF=1, both channels) and its own relative humidity (%).

    The correction of the United States for any smoke (Barkjohn 2022, doi 10.3390/s22249669): linear in both for usual
    air, a square for heavy smoke, and a mixture of both between 570 and 611.
    """
    linear = 0.524 * concentration - 0.0862 * humidity + 5.75
    if concentration < LINEAR_BELOW:
        return max(linear, 0.0)
    square = 4.21e-4 * concentration * concentration + 0.392 * concentration + 3.44
    if concentration >= SMOKE_FROM:
        return square
    share = 0.0244 * concentration - 13.9
    return share * square + (1 - share) * linear


class PurpleAir(Provider):
    """PM2.5 of one sensor, once an hour, because each request is charged.

    https://api.purpleair.com. A key with points. NowCast is known once two of three hours have been fetched.
    """

    key = "purpleair"
    base_url = "https://api.purpleair.com"
    params = (
        Param(key="api_key", kind=ParamKind.SECRET),
        Param(key="sensor", kind=ParamKind.TEXT, pattern=r"[0-9]{1,9}"),
    )
    quota = Quota(requests=12, period=timedelta(hours=1))
    attribution = "PurpleAir"

    @override
    def title(self) -> str:
        return str(self.options["sensor"])

    @override
    def lacks(self) -> frozenset[str]:
        return frozenset({UV, *POLLUTANTS}) - {PM2_5}

    @override
    async def fetch(self, context: Context) -> Reading:
        answer = await context.get_json(
            f"/v1/sensors/{self.title()}",
            params={"fields": ",".join(FIELDS)},
            headers={"X-API-Key": str(self.options["api_key"])},
        )
        sensor = mapping(mapping(answer, "the answer").get("sensor"), "sensor")
        value, humidity = number(sensor.get("pm2.5_cf_1")), number(sensor.get("humidity"))
        if value is None or humidity is None:
            raise SourceNoData("the sensor tells no PM2.5 or no humidity")
        if not _agree(sensor):
            raise SourceNoData("the two channels of the sensor contradict each other")
        observed_at = epoch(sensor.get("last_seen"))
        air = Air(
            location=f"PurpleAir {self.title()}",
            observed_at=observed_at,
            hours=remembered(context, observed_at, {PM2_5: corrected(value, humidity)}),
            notes={"uncorrected": value, "confidence": number(sensor.get("confidence"))},
        )
        return air_reading(context, air, self.attribution)


def _agree(sensor: dict[str, Json]) -> bool:
    """Tell whether the two channels measure the same; one that is not told cannot contradict."""
    first, second = number(sensor.get("pm2.5_atm_a")), number(sensor.get("pm2.5_atm_b"))
    if first is None or second is None:
        return True
    return abs(first - second) <= max(APART, APART_SHARE * (first + second) / 2)
