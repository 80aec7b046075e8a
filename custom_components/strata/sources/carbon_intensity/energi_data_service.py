"""Denmark: the CO2 emission that Energinet foresees for the power consumed there."""

from datetime import UTC, timedelta
import json
from typing import Final, override
from zoneinfo import ZoneInfo

from ...core.forecast import infer_slots
from ...core.model import Forecast
from ..answer import mapping, moment, number, sequence
from ..base import Context, Home, Param, ParamKind, Provider, Quota, Reading, SourceNoData
from .intensity import FOSSIL, INTENSITY, RENEWABLE, UNIT

AREAS: Final = ("DK1", "DK2")
# Loaded here because modules are imported off the event loop and time zones are read from files.
DANISH_TIME: Final = ZoneInfo("Europe/Copenhagen")
GREAT_BELT: Final = 10.9
"""Degrees east of the strait between the two price areas."""


def _default_area(home: Home) -> object | None:
    if home.country != "DK":
        return None
    return AREAS[0] if home.longitude < GREAT_BELT else AREAS[1]


class EnergiDataService(Provider):
    """Intensity (g/kWh) of West or East Denmark, foreseen in steps of 5 minutes.

    https://www.energidataservice.dk, data set CO2EmisProg. No key.
    """

    key = "energi_data_service"
    base_url = "https://api.energidataservice.dk"
    params = (Param(key="price_area", kind=ParamKind.SELECT, choices=AREAS, default=_default_area),)
    quota = Quota(requests=60, period=timedelta(hours=1))
    countries = frozenset({"DK"})
    attribution = "Energi Data Service, Energinet"

    @override
    def title(self) -> str:
        return str(self.options["price_area"])

    @override
    def lacks(self) -> frozenset[str]:
        return frozenset({RENEWABLE, FOSSIL})

    @override
    async def fetch(self, context: Context) -> Reading:
        now = context.now()
        answer = await context.get_json(
            "/dataset/CO2EmisProg",
            params={
                "filter": json.dumps({"PriceArea": [self.title()]}),
                # In Danish time; from the whole hour on, so that the running hour is known from begin to end.
                "start": now.astimezone(DANISH_TIME).strftime("%Y-%m-%dT%H:00"),
                "sort": "Minutes5UTC",
                # All there are; without it only the first 100.
                "limit": "0",
            },
        )
        rows = [mapping(row, "a record") for row in sequence(mapping(answer, "the answer").get("records"), "records")]
        try:
            # Times in UTC carry no offset.
            slots = infer_slots((moment(row.get("Minutes5UTC"), UTC), number(row.get("CO2Emission"))) for row in rows)
        except ValueError:
            slots = ()
        current = next((slot for slot in slots if slot.start <= now < slot.end), None)
        if current is None:
            raise SourceNoData("Energi Data Service has no value for the present")
        return Reading(
            fields={INTENSITY: current.value},
            tags={"region": self.title(), "grid_operator": "Energinet"},
            observed_at=current.start,
            fetched_at=now,
            unit=UNIT,
            forecasts={INTENSITY: Forecast(UNIT, now, slots)},
            attribution=self.attribution,
        )
