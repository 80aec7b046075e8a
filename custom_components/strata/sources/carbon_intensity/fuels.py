"""The sources of electricity as Energy-Charts names them, and what each emits."""

from collections.abc import Mapping
from typing import Final

# Lifecycle emissions in gCO2eq/kWh: medians of IPCC AR5 WG III (2014), Annex III, table A.III.2; solar between
# its rooftop (41) and utility (48) medians. IPCC has none for oil: 650 is what Electricity Maps uses. Fuels that
# are coal or gas in all but name go with them. Waste and "Others" have no published factor and count for shares only.
COAL, GAS, HYDRO = 820.0, 490.0, 24.0
FACTORS: Final[Mapping[str, float]] = {
    "biomass": 230.0,
    "fossil brown coal / lignite": COAL,
    "fossil coal-derived gas": GAS,
    "fossil gas": GAS,
    "fossil hard coal": COAL,
    "fossil oil": 650.0,
    "fossil oil shale": COAL,
    "fossil peat": COAL,
    "geothermal": 38.0,
    "hydro pumped storage": HYDRO,
    "hydro run-of-river": HYDRO,
    "hydro water reservoir": HYDRO,
    "nuclear": 12.0,
    "solar": 45.0,
    "wind offshore": 12.0,
    "wind onshore": 11.0,
}
WITHOUT_FACTOR: Final = frozenset({"marine", "other renewables", "other, non-renewable", "others", "waste"})
GENERATION: Final = FACTORS.keys() | WITHOUT_FACTOR
FOSSILS: Final = frozenset(name for name in GENERATION if name.startswith("fossil "))
RENEWABLES: Final = frozenset(
    {"biomass", "geothermal", "hydro run-of-river", "hydro water reservoir", "marine", "other renewables", "solar"}
    | {"wind offshore", "wind onshore"}
)
"""Pumped storage gives back what other plants made, so it is generation but not renewable."""


def intensity(mix: Mapping[str, float]) -> float | None:
    """Return the mean emission (gCO2eq/kWh) of a mix of powers by source, over those with a published factor.

    The powers are positive; None when none of them has a factor.
    """
    known = {name: power for name, power in mix.items() if name in FACTORS}
    total = sum(known.values())
    return sum(power * FACTORS[name] for name, power in known.items()) / total if total else None
