"""Indices of air quality against the published tables and hand-made means."""

import doctest
import math

import pytest

from custom_components.strata.core import aqi
from custom_components.strata.core.aqi import (
    CATEGORIES,
    CATEGORY_NAMES,
    SubIndex,
    dominant,
    european_level,
    micrograms,
    nowcast,
    ppb,
    sub_indices,
    trailing_mean,
    us_category,
    us_index,
)

# EPA-454/B-24-002: the ends of each band in the table's own unit, with the index at each.
EDGES = {
    ("pm2_5", "24h", "µg/m³"): (
        *((0.0, 0), (9.0, 50), (9.1, 51), (35.4, 100), (35.5, 101), (55.4, 150)),
        *((55.5, 151), (125.4, 200), (125.5, 201), (225.4, 300), (225.5, 301), (325.4, 500)),
    ),
    ("pm10", "24h", "µg/m³"): (
        *((0, 0), (54, 50), (55, 51), (154, 100), (155, 101), (254, 150)),
        *((255, 151), (354, 200), (355, 201), (424, 300), (425, 301), (604, 500)),
    ),
    ("o3", "8h", "ppm"): (
        *((0.0, 0), (0.054, 50), (0.055, 51), (0.070, 100), (0.071, 101)),
        *((0.085, 150), (0.086, 151), (0.105, 200), (0.106, 201), (0.200, 300)),
    ),
    ("o3", "1h", "ppm"): (
        *((0.125, 101), (0.164, 150), (0.165, 151), (0.204, 200)),
        *((0.205, 201), (0.404, 300), (0.405, 301), (0.604, 500)),
    ),
    ("co", "8h", "ppm"): (
        *((0.0, 0), (4.4, 50), (4.5, 51), (9.4, 100), (9.5, 101), (12.4, 150)),
        *((12.5, 151), (15.4, 200), (15.5, 201), (30.4, 300), (30.5, 301), (50.4, 500)),
    ),
    ("so2", "1h", "ppb"): ((0, 0), (35, 50), (36, 51), (75, 100), (76, 101), (185, 150), (186, 151), (304, 200)),
    ("so2", "24h", "ppb"): ((305, 201), (604, 300), (605, 301), (1004, 500)),
    ("no2", "1h", "ppb"): (
        *((0, 0), (53, 50), (54, 51), (100, 100), (101, 101), (360, 150)),
        *((361, 151), (649, 200), (650, 201), (1249, 300), (1250, 301), (2049, 500)),
    ),
}
IN_MICROGRAMS = {
    "µg/m³": lambda of, value: value,
    "ppm": lambda of, value: micrograms(of, value * 1000),
    "ppb": micrograms,
}


@pytest.mark.parametrize(
    ("pollutant", "span", "unit", "value", "index"),
    [(*key, *edge) for key, edges in EDGES.items() for edge in edges],
)
def test_published_edges(pollutant: str, span: str, unit: str, value: float, index: int) -> None:
    assert us_index(pollutant, span, IN_MICROGRAMS[unit](pollutant, value)) == index


@pytest.mark.parametrize(
    ("pollutant", "span", "value", "index"),
    [
        ("pm2_5", "24h", 12.0, 56),
        ("pm2_5", "24h", 35.49, 100),
        ("pm2_5", "24h", 55.4, 150),
        ("pm2_5", "24h", 150.4, 226),
        ("pm2_5", "24h", 325.4, 500),
        # Cut off, not rounded, which would give 51.
        ("pm2_5", "24h", 9.05, 50),
        # On from the last band with its slope: 301 + 174.5 × 199 / 99.9.
        ("pm2_5", "24h", 400.0, 649),
        ("pm10", "24h", 154.6, 100),
        ("o3", "8h", micrograms("o3", 70.9), 100),
        ("o3", "8h", micrograms("o3", 64.0), 80),
        # The eight hours of ozone and the hour of sulphur dioxide define nothing above.
        ("o3", "8h", micrograms("o3", 350.0), 300),
        ("so2", "1h", micrograms("so2", 900.0), 200),
        ("o3", "1h", micrograms("o3", 124.9), None),
        ("so2", "24h", micrograms("so2", 304.9), None),
        ("no2", "1h", -1.0, None),
        ("no2", "1h", math.nan, None),
        ("no2", "1h", math.inf, None),
        # From the slope of its last band: 301 + (2849 - 1250) × 199 / 799 = 699.25.
        ("no2", "1h", micrograms("no2", 2849.0), 699),
    ],
)
def test_values_between(pollutant: str, span: str, value: float, index: int | None) -> None:
    assert us_index(pollutant, span, value) == index


def test_a_span_without_a_table_is_refused() -> None:
    with pytest.raises(KeyError):
        us_index("co", "1h", 1.0)
    with pytest.raises(KeyError):
        ppb("pm2_5", 1.0)


def test_gases_weigh_what_a_mole_at_25_degrees_weighs() -> None:
    # Molar mass over the molar volume of 24.45 l.
    for gas, grams in {"o3": 48.00, "no2": 46.01, "so2": 64.07, "co": 28.01}.items():
        assert micrograms(gas, 1.0) == pytest.approx(grams / 24.45, rel=1e-3)
        assert ppb(gas, micrograms(gas, 37.5)) == pytest.approx(37.5)


@pytest.mark.parametrize(
    ("index", "category"),
    [
        *((0, "good"), (50, "good"), (51, "moderate"), (100, "moderate")),
        *((101, "unhealthy_for_sensitive_groups"), (150, "unhealthy_for_sensitive_groups"), (151, "unhealthy")),
        *((200, "unhealthy"), (201, "very_unhealthy"), (300, "very_unhealthy"), (301, "hazardous"), (649, "hazardous")),
    ],
)
def test_categories(index: int, category: str) -> None:
    assert us_category(index) == category
    assert CATEGORY_NAMES[category]
    assert category in CATEGORIES


# EEA, revision of 2024: upper ends of good, fair, moderate, poor and very poor, in µg/m³.
EUROPEAN = {
    "pm2_5": (5, 15, 50, 90, 140),
    "pm10": (15, 45, 120, 195, 270),
    "no2": (10, 25, 60, 100, 150),
    "o3": (60, 100, 120, 160, 180),
    "so2": (20, 40, 125, 190, 275),
}


@pytest.mark.parametrize(
    ("pollutant", "value", "level"),
    [
        (pollutant, value, level)
        for pollutant, ends in EUROPEAN.items()
        for level, end in enumerate(ends, 1)
        for value, level in ((end, level), (end + 0.1, level + 1))
    ],
)
def test_european_edges(pollutant: str, value: float, level: int) -> None:
    assert european_level(pollutant, value) == level


def test_european_index_knows_its_pollutants_only() -> None:
    assert european_level("pm2_5", 0.0) == 1
    assert european_level("co", 100.0) is None
    assert european_level("o3", -0.1) is None
    assert european_level("o3", math.nan) is None


def test_nowcast_of_steady_air_is_its_mean() -> None:
    assert nowcast("pm2_5", [10.0] * 12) == 10.0
    assert nowcast("pm2_5", [0.0] * 12) == 0.0


def test_nowcast_weighs_by_the_ratio_of_the_extremes() -> None:
    # w = 20/30: (30 + 2/3·20 + 4/9·30) / (1 + 2/3 + 4/9) = 56.667 / 2.1111 = 26.842, cut off at a tenth or a whole.
    assert nowcast("pm2_5", [30.0, 20.0, 30.0]) == 26.8
    assert nowcast("pm10", [30.0, 20.0, 30.0]) == 26.0
    # w is a half at least: (100 + 10/2 + 10/4) / 1.75 = 61.43.
    assert nowcast("pm2_5", [100.0, 10.0, 10.0]) == 61.4


def test_nowcast_skips_what_is_missing_and_keeps_ages() -> None:
    # w = 1/2: (20 + 10/4) / (1 + 1/4).
    assert nowcast("pm2_5", [20.0, None, 10.0, -5.0]) == 18.0
    assert nowcast("pm2_5", [20.0, None, None, 10.0, 10.0]) is None
    assert nowcast("pm2_5", []) is None
    # The thirteenth hour counts for nothing.
    assert nowcast("pm2_5", [10.0] * 12 + [500.0]) == 10.0


def test_mean_needs_three_quarters_of_its_hours() -> None:
    assert trailing_mean([8.0, 6.0, 4.0, 2.0, 8.0, 2.0, None, None, 99.0], 8) == 5.0
    assert trailing_mean([8.0, 6.0, 4.0, 2.0, 8.0, None, None, None], 8) is None


def test_each_pollutant_goes_by_its_own_mean() -> None:
    hours = {
        "pm2_5": [12.0] * 12,
        "pm10": [20.0],
        "o3": [micrograms("o3", 64.0)] * 8,
        "no2": [micrograms("no2", 53.0), None],
        "so2": [micrograms("so2", 35.0)],
        "co": [micrograms("co", 4400.0)] * 3,
    }
    assert sub_indices(hours) == (
        SubIndex("pm2_5", 56, "nowcast"),
        # 20 · 50 / 54 = 18.5, and halves go up.
        SubIndex("pm10", 19, "instant"),
        SubIndex("o3", 80, "8h"),
        SubIndex("no2", 50, "1h"),
        SubIndex("so2", 50, "1h"),
        SubIndex("co", 50, "instant"),
    )
    assert dominant(sub_indices(hours)) == SubIndex("o3", 80, "8h")
    assert sub_indices({"no2": hours["no2"]}, hourly=False) == (SubIndex("no2", 50, "instant"),)


def test_the_worse_of_two_means_counts() -> None:
    # Seven hours of 80 ppb and one of 200: 95 over eight are 151 + 9·49/19 = 174, 200 in one 151 + 35·49/39 = 195.
    hours = [micrograms("o3", 200.0)] + [micrograms("o3", 80.0)] * 7
    assert sub_indices({"o3": hours}) == (SubIndex("o3", 195, "1h"),)
    # A day of 400 ppb is worse than its last hour can say.
    assert sub_indices({"so2": [micrograms("so2", 400.0)] * 24}) == (SubIndex("so2", 232, "24h"),)
    # An hour of ozone alone is below what the hour defines: it stands for the eight hours.
    assert sub_indices({"o3": [micrograms("o3", 54.0)]}) == (SubIndex("o3", 50, "instant"),)


def test_nothing_known_is_no_index() -> None:
    assert sub_indices({}) == ()
    assert sub_indices({"pm2_5": [], "o3": [None], "no2": [-1.0]}) == ()
    assert dominant(()) is None
    # Of equals the first.
    assert dominant([SubIndex("pm10", 40, "nowcast"), SubIndex("o3", 40, "8h")]) == SubIndex("pm10", 40, "nowcast")


def test_examples() -> None:
    assert doctest.testmod(aqi).failed == 0
