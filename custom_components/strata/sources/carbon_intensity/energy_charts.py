"""Europe: an estimate from the generation mix that Energy-Charts (Fraunhofer ISE) publishes."""

from datetime import datetime, timedelta
from typing import Final, override

from ...core.forecast import infer_slots
from ...core.model import Forecast
from ..answer import aligned, epoch, mapping, number, sequence
from ..base import Context, Home, Json, Param, ParamKind, Provider, Quota, Reading, SourceError, SourceNoData
from .fuels import FOSSILS, GENERATION, RENEWABLES, intensity
from .intensity import FORESEEN, FOSSIL, INTENSITY, PERCENT, RENEWABLE, UNIT, share

MAJOR_SHARE: Final = 0.05
"""A series is major when it makes this share of the energy of the hours asked for."""
HOURS_ASKED: Final = timedelta(hours=6)
COUNTRIES: Final = (
    *("at", "ba", "be", "bg", "ch", "cy", "cz", "de", "dk", "ee", "es", "eu", "fi", "fr", "ge", "gr", "hr", "hu"),
    *("ie", "it", "lt", "lu", "lv", "md", "me", "mk", "nl", "no", "pl", "pt", "ro", "rs", "se", "sk", "sl", "ua"),
    *("uk", "xk"),
)
# The API's own codes for two countries.
CODE_OF: Final = {"GB": "uk", "SI": "sl"}


def _default_country(home: Home) -> object | None:
    code = CODE_OF.get(home.country or "", (home.country or "").lower())
    return code if code in COUNTRIES else None


class EnergyCharts(Provider):
    """Intensity estimated from the mix, renewable and fossil share, and the forecast of the renewable share.

    https://api.energy-charts.info. Every 15 minutes, no key. Renewable and fossil are shares of generation;
    the forecast is of the share of load, which passes 100 % when the country exports.
    """

    key = "energy_charts"
    base_url = "https://api.energy-charts.info"
    params = (Param(key="country", kind=ParamKind.SELECT, choices=COUNTRIES, default=_default_country),)
    quota = Quota(requests=60, period=timedelta(hours=1))
    countries = frozenset(code.upper() for code in COUNTRIES if code not in CODE_OF.values()) | CODE_OF.keys()
    attribution = "Energy-Charts, Fraunhofer ISE (CC BY 4.0)"

    @override
    def title(self) -> str:
        return str(self.options["country"]).upper()

    @override
    def lacks(self) -> frozenset[str]:
        return FORESEEN

    @override
    async def fetch(self, context: Context) -> Reading:
        now = context.now()
        span = {"start": f"{now - HOURS_ASKED:%Y-%m-%dT%H:%MZ}", "end": f"{now:%Y-%m-%dT%H:%MZ}"}
        answer = await context.get_json("/public_power", params={"country": self._country, **span})
        observed_at, mix = _newest_mix(mapping(answer, "the answer"))
        return Reading(
            fields={INTENSITY: intensity(mix), RENEWABLE: share(mix, RENEWABLES), FOSSIL: share(mix, FOSSILS)},
            tags={"region": self.title(), "grid_operator": "Energy-Charts"},
            observed_at=observed_at,
            fetched_at=now,
            unit=UNIT,
            forecasts=await self._forecasts(context),
            estimated=True,
            attribution=self.attribution,
        )

    @property
    def _country(self) -> str:
        return str(self.options["country"])

    async def _forecasts(self, context: Context) -> dict[str, Forecast]:
        try:
            answer = await context.get_json("/ren_share_forecast", params={"country": self._country})
            columns = mapping(answer, "the forecast")
            times, shares = (sequence(columns.get(name), name) for name in ("unix_seconds", "ren_share"))
            slots = infer_slots((epoch(at), number(value)) for at, value in aligned(times, shares, "ren_share"))
        except SourceError, ValueError:
            # Many countries have no forecast; the mix is worth having without it.
            return {}
        return {RENEWABLE: Forecast(PERCENT, context.now(), slots)} if slots else {}


def _newest_mix(answer: dict[str, Json]) -> tuple[datetime, dict[str, float]]:
    """Return the newest time at which no major series is missing, and MW by source then."""
    times = sequence(answer.get("unix_seconds"), "unix_seconds")
    series: dict[str, list[float | None]] = {}
    for entry in sequence(answer.get("production_types"), "production_types"):
        column = mapping(entry, "a production type")
        if (name := str(column.get("name")).lower()) in GENERATION:
            pairs = aligned(times, sequence(column.get("data"), name), name)
            series[name] = [number(value) for _, value in pairs]
    energy = {name: sum(value for value in data if value and value > 0) for name, data in series.items()}
    total = sum(energy.values())
    major = [series[name] for name, amount in energy.items() if total and amount >= MAJOR_SHARE * total]
    for index in reversed(range(len(times) if major else 0)):
        if all(data[index] is not None for data in major):
            at = {name: value for name, data in series.items() if (value := data[index]) is not None and value > 0}
            if at:
                return epoch(times[index]), at
    raise SourceNoData("Energy-Charts has no complete generation mix for the last hours")
