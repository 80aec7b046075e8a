"""France: éCO2mix of the grid operator RTE, as the open data platform ODRÉ publishes it."""

from datetime import timedelta
from typing import Final, override

from ..answer import mapping, moment, number, sequence
from ..base import Context, Json, Provider, Quota, Reading, SourceNoData
from .intensity import FORESEEN, FOSSIL, INTENSITY, RENEWABLE, UNIT, share

FOSSILS: Final = frozenset({"charbon", "fioul", "gaz"})
RENEWABLES: Final = frozenset({"bioenergies", "eolien", "hydraulique", "solaire"})
SOURCES: Final = FOSSILS | RENEWABLES | {"nucleaire"}
"""Columns of generation (MW). `pompage` takes power and is none."""


class Odre(Provider):
    """Intensity (g/kWh) of generation in France, every 15 minutes, and the shares of the mix.

    https://odre.opendatasoft.com, data set eco2mix-national-tr. No key. Rows are empty until they are measured.
    """

    key = "odre"
    base_url = "https://odre.opendatasoft.com"
    quota = Quota(requests=60, period=timedelta(hours=1))
    countries = frozenset({"FR"})
    attribution = "RTE éCO2mix, ODRÉ (Licence Ouverte)"

    @override
    def title(self) -> str:
        return "FR"

    @override
    def lacks(self) -> frozenset[str]:
        return FORESEEN

    @override
    async def fetch(self, context: Context) -> Reading:
        answer = await context.get_json(
            "/api/explore/v2.1/catalog/datasets/eco2mix-national-tr/records",
            # A day has at most 100 quarters of an hour, and 100 rows are the most one request may ask for.
            params={"order_by": "date_heure desc", "limit": "100"},
        )
        rows = [mapping(row, "a row") for row in sequence(mapping(answer, "the answer").get("results"), "results")]
        known = [row for row in rows if number(row.get("taux_co2")) is not None]
        past = [row for row in known if moment(row.get("date_heure")) <= context.now()]
        if not past:
            raise SourceNoData("éCO2mix has no value for the last hours")
        newest = max(past, key=lambda row: moment(row.get("date_heure")))
        mix = _mix(newest)
        return Reading(
            fields={
                INTENSITY: number(newest.get("taux_co2")),
                RENEWABLE: share(mix, RENEWABLES),
                FOSSIL: share(mix, FOSSILS),
            },
            tags={"region": "FR", "grid_operator": "RTE"},
            observed_at=moment(newest.get("date_heure")),
            fetched_at=context.now(),
            unit=UNIT,
            attribution=self.attribution,
        )


def _mix(row: dict[str, Json]) -> dict[str, float]:
    """Return MW by source; empty unless all are known, as shares of a part would be wrong."""
    values = {name: number(row.get(name)) for name in SOURCES}
    if None in values.values():
        return {}
    return {name: max(value, 0.0) for name, value in values.items() if value is not None}
