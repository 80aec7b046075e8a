"""The regions of Great Britain's electricity networks, as the letters in tariff codes name them."""

from typing import Final

from ..base import Home

# Each grid supply point group and a town in it, by whose distance the form proposes one.
REGIONS: Final = {
    "a": (52.63, 1.30),
    "b": (52.95, -1.15),
    "c": (51.51, -0.13),
    "d": (53.41, -2.98),
    "e": (52.48, -1.90),
    "f": (54.98, -1.61),
    "g": (53.48, -2.24),
    "h": (50.91, -1.40),
    "j": (50.82, -0.14),
    "k": (51.48, -3.18),
    "l": (50.72, -3.53),
    "m": (53.80, -1.55),
    "n": (55.86, -4.25),
    "p": (57.15, -2.09),
}


def nearest(home: Home) -> str:
    """Return the region with the nearest town; a degree of longitude is about 0.6 of one of latitude there."""

    def distance(region: str) -> float:
        latitude, longitude = REGIONS[region]
        return (latitude - home.latitude) ** 2 + (0.6 * (longitude - home.longitude)) ** 2

    return min(REGIONS, key=distance)
