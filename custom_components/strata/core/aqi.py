"""Air quality indices: the US index of the EPA, the European index of the EEA, and the means they are made from.

The US index is that of the rule in force since 2024-05-06 (EPA-454/B-24-002): concentrations are truncated, the index
is rounded, and above the last breakpoint it goes on with the slope of the last band. The European index is that of the
bands the EEA revised in 2024, applied to the concentrations of the hour.

Concentrations of gases travel in µg/m³ and are in ppb or ppm only here: at 25 °C and 1 atm, as the EPA reports them.

>>> us_index("pm2_5", "24h", 35.49)
100
>>> us_index("o3", "8h", micrograms("o3", 64.0))
80
>>> european_level("no2", 25.0)
2
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
import math
from typing import Final, NamedTuple

PM2_5, PM10, O3, NO2, SO2, CO = POLLUTANTS = ("pm2_5", "pm10", "o3", "no2", "so2", "co")

MICROGRAMS_PER_PPB: Final[Mapping[str, float]] = {O3: 1.963, NO2: 1.882, SO2: 2.620, CO: 1.146}
"""µg/m³ that one part per billion weighs at 25 °C and 1013.25 hPa (a mole is 24.45 litres)."""

CATEGORY_NAMES: Final[Mapping[str, str]] = {
    "good": "Good",
    "moderate": "Moderate",
    "unhealthy_for_sensitive_groups": "Unhealthy for Sensitive Groups",
    "unhealthy": "Unhealthy",
    "very_unhealthy": "Very Unhealthy",
    "hazardous": "Hazardous",
}
"""Categories by key, best first, in the EPA's own words."""
CATEGORIES: Final = tuple(CATEGORY_NAMES)
_CATEGORY_ENDS: Final = (50, 100, 150, 200, 300)

EUROPEAN_LEVELS: Final = ("good", "fair", "moderate", "poor", "very_poor", "extremely_poor")
"""From level 1 to level 6."""
_EUROPEAN_ENDS: Final[Mapping[str, tuple[float, ...]]] = {
    PM2_5: (5, 15, 50, 90, 140),
    PM10: (15, 45, 120, 195, 270),
    NO2: (10, 25, 60, 100, 150),
    O3: (60, 100, 120, 160, 180),
    SO2: (20, 40, 125, 190, 275),
}
"""Upper ends (µg/m³) of the first five bands; each belongs to its band."""


class Band(NamedTuple):
    """Concentrations `low` to `high`, both truncated, have the indices `first` to `last`."""

    low: float
    high: float
    first: int
    last: int


_INDICES: Final = ((0, 50), (51, 100), (101, 150), (151, 200), (201, 300), (301, 500))


@dataclass(frozen=True, slots=True)
class Scale:
    """How one pollutant's mean over one span becomes an index."""

    decimals: int
    """Digits that are kept of the concentration; the rest is cut off."""
    per_ppb: float | None
    """The scale's own unit (ppb or ppm) per ppb; None where it is µg/m³."""
    bands: tuple[Band, ...]
    open: bool = True
    """Whether the index goes on above the last band; where not, another span defines it and this one says its end."""

    def truncated(self, concentration: float) -> float:
        """Return the concentration as the EPA cuts it; rounding in the last binary digits is undone first."""
        return math.floor(round(concentration * 10.0**self.decimals, 6)) / 10.0**self.decimals

    def index(self, concentration: float) -> int | None:
        """Return the index of a concentration in the scale's unit; None below its first band."""
        value = self.truncated(concentration)
        if value < self.bands[0].low:
            return None
        band = next((band for band in self.bands if value <= band.high), None)
        if band is None:
            band = self.bands[-1]
            if not self.open:
                return band.last
        slope = (band.last - band.first) / (band.high - band.low)
        return math.floor(round(slope * (value - band.low) + band.first, 9) + 0.5)


def _scale(
    decimals: int, per_ppb: float | None, *ends: float, first: float = 0.0, skip: int = 0, open_: bool = True
) -> Scale:
    """Return the scale whose bands end at `ends` and begin one step above the end before, from band `skip` on."""
    step = 10.0**-decimals
    lows = [first, *(round(end + step, decimals) for end in ends[:-1])]
    spans = zip(lows, ends, _INDICES[skip : skip + len(ends)], strict=True)
    return Scale(decimals, per_ppb, tuple(Band(low, high, *indices) for low, high, indices in spans), open_)


US_SCALES: Final[Mapping[tuple[str, str], Scale]] = {
    (PM2_5, "24h"): _scale(1, None, 9.0, 35.4, 55.4, 125.4, 225.4, 325.4),
    (PM10, "24h"): _scale(0, None, 54, 154, 254, 354, 424, 604),
    (O3, "8h"): _scale(3, 1e-3, 0.054, 0.070, 0.085, 0.105, 0.200, open_=False),
    (O3, "1h"): _scale(3, 1e-3, 0.164, 0.204, 0.404, 0.604, first=0.125, skip=2),
    (CO, "8h"): _scale(1, 1e-3, 4.4, 9.4, 12.4, 15.4, 30.4, 50.4),
    (SO2, "1h"): _scale(0, 1.0, 35, 75, 185, 304, open_=False),
    (SO2, "24h"): _scale(0, 1.0, 604, 1004, first=305, skip=4),
    (NO2, "1h"): _scale(0, 1.0, 53, 100, 360, 649, 1249, 2049),
}
"""By pollutant and span of the mean. Above 0.200 ppm the hour defines ozone, above 304 ppb the day sulphur dioxide."""


def ppb(pollutant: str, micrograms_per_m3: float) -> float:
    """Return a gas's concentration in parts per billion.

    Raises:
        KeyError: `pollutant` is no gas.
    """
    return micrograms_per_m3 / MICROGRAMS_PER_PPB[pollutant]


def micrograms(pollutant: str, parts_per_billion: float) -> float:
    """Return a gas's concentration in µg/m³.

    Raises:
        KeyError: `pollutant` is no gas.
    """
    return parts_per_billion * MICROGRAMS_PER_PPB[pollutant]


def us_index(pollutant: str, span: str, concentration: float) -> int | None:
    """Return the US index of a mean concentration (µg/m³) over `span`.

    None for a negative concentration, and below where the span begins to define the index (ozone over one hour,
    sulphur dioxide over 24).

    Raises:
        KeyError: the EPA defines nothing for this pollutant and span.
    """
    scale = US_SCALES[pollutant, span]
    if not math.isfinite(concentration) or concentration < 0:
        return None
    return scale.index(concentration if scale.per_ppb is None else ppb(pollutant, concentration) * scale.per_ppb)


def us_category(index: float) -> str:
    """Return the category, one of `CATEGORIES`, of a US index; above 500 it is the last one's "beyond the index"."""
    return CATEGORIES[bisect_left(_CATEGORY_ENDS, index)]


def european_level(pollutant: str, concentration: float) -> int | None:
    """Return the European level, 1 (good) to 6 (extremely poor), of an hour's concentration (µg/m³).

    None where the index does not know the pollutant or the concentration is negative.
    """
    ends = _EUROPEAN_ENDS.get(pollutant)
    if ends is None or not math.isfinite(concentration) or concentration < 0:
        return None
    return bisect_left(ends, concentration) + 1


NOWCAST_HOURS: Final = 12
_NOWCAST_FRESH: Final = 3
_NOWCAST_NEEDED: Final = 2
_LEAST_WEIGHT: Final = 0.5
_MEAN_SHARE: Final = 0.75
"""The share of a mean's hours the EPA asks for."""


def nowcast(pollutant: str, hours: Sequence[float | None]) -> float | None:
    """Return the NowCast (µg/m³, truncated) of particles from hourly means, the newest first.

    At most the newest 12 count. The weight of an hour is `w` to the power of its age, with `w` the ratio of the lowest
    to the highest concentration, but no less than a half. None unless two of the newest three hours are known.
    """
    known = [(age, value) for age, value in enumerate(hours[:NOWCAST_HOURS]) if value is not None and value >= 0]
    if sum(age < _NOWCAST_FRESH for age, _ in known) < _NOWCAST_NEEDED:
        return None
    low, high = min(value for _, value in known), max(value for _, value in known)
    weight = max(low / high, _LEAST_WEIGHT) if high > 0 else 1.0
    total = sum(weight**age for age, _ in known)
    return US_SCALES[pollutant, "24h"].truncated(sum(weight**age * value for age, value in known) / total)


def trailing_mean(hours: Sequence[float | None], count: int) -> float | None:
    """Return the mean of the newest `count` hourly means, the newest first; None unless three quarters are known."""
    known = [value for value in hours[:count] if value is not None]
    return sum(known) / len(known) if len(known) >= _MEAN_SHARE * count else None


class SubIndex(NamedTuple):
    """One pollutant's share in the US index."""

    pollutant: str
    value: int
    averaging: str
    """`nowcast`, `24h`, `8h`, `1h`, or `instant`: one value stood for a mean that its past was not known for."""


def sub_indices(hours: Mapping[str, Sequence[float | None]], *, hourly: bool = True) -> tuple[SubIndex, ...]:
    """Return the US sub-indices of pollutants from their hourly concentrations (µg/m³), the newest first.

    Particles go by NowCast, ozone by eight hours or, where that is worse, the hour, carbon monoxide by eight hours,
    nitrogen dioxide by the hour, sulphur dioxide by the hour or, where that is worse, the day. Where the hours that a
    mean needs are not known, the newest value stands for it and is labelled `instant`; so is a single hour's where
    the values are no means of hours (`hourly` is False).
    """
    found = []
    for pollutant in (pollutant for pollutant in POLLUTANTS if hours.get(pollutant)):
        known = [
            SubIndex(pollutant, index, averaging if hourly or averaging != "1h" else "instant")
            for span, value, averaging in _means(pollutant, hours[pollutant])
            if (index := us_index(pollutant, span, value)) is not None
        ]
        found.extend([max(known, key=lambda one: one.value)] if known else [])
    return tuple(found)


_MEANS: Final[Mapping[str, tuple[tuple[str, int], ...]]] = {
    O3: (("8h", 8), ("1h", 1)),
    NO2: (("1h", 1),),
    SO2: (("1h", 1), ("24h", 24)),
    CO: (("8h", 8),),
}
"""For gases the spans an index is defined for, the usual one first, and their hours."""


def _means(pollutant: str, hours: Sequence[float | None]) -> Iterator[tuple[str, float, str]]:
    """Yield span, value and label of every mean the known hours allow; the newest value where the usual one is not."""
    newest = hours[0]
    if pollutant in (PM2_5, PM10):
        means = [("24h", nowcast(pollutant, hours), "nowcast")]
    else:
        means = [(span, trailing_mean(hours, count), span) for span, count in _MEANS[pollutant]]
    usual, value, _ = means[0]
    if value is None and newest is not None:
        yield usual, newest, "instant"
    for span, mean, label in means:
        if mean is not None:
            yield span, mean, label


def dominant(indices: Iterable[SubIndex]) -> SubIndex | None:
    """Return the sub-index that is the US index: the highest, of equals the first; None when there is none."""
    return max(indices, key=lambda one: one.value, default=None)
