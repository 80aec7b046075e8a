"""What the bench promises, on a small seeded sample of its test homes; and a real meter, where there is one.

The generator, the faults and the way alarms are judged are those of scripts/bench --only anomaly,
which measures all homes.
"""

import csv
from datetime import datetime
from pathlib import Path
import time

import numpy as np
import pytest

from custom_components.strata.analysis.anomaly import scan
from custom_components.strata.analysis.base import AnomalyKind
from custom_components.strata.core.model import to_micros
from scripts.benchmarks.anomaly import happenings
from scripts.benchmarks.anomaly.faults import EVENTS, NUMERIC, inject
from scripts.benchmarks.anomaly.home import DESIGN, TEST, make_home
from scripts.benchmarks.anomaly.judge import Figures
from scripts.benchmarks.anomaly.ours import alarms_of, strata
from scripts.benchmarks.anomaly.simulated import DAY, HOUR, MICROS

pytestmark = pytest.mark.xdist_group("anomaly_bars")

REAL_METER = Path(__file__).parents[4] / "shared" / "data" / "home-meter"
SEEDS = list(TEST)[:2]
NUMERIC_KINDS = 12


@pytest.fixture(scope="module")
def homes():
    return [make_home(seed) for seed in SEEDS]


def test_homes_for_figures_are_not_those_for_tuning():
    assert not set(DESIGN) & set(TEST)


def test_a_home_is_the_same_every_time_and_has_what_it_should(homes):
    again = make_home(SEEDS[0])
    for one, other in zip(homes[0].numeric, again.numeric, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    assert len(homes[0].numeric) >= NUMERIC_KINDS
    assert len(homes[0].watched) == 25
    assert any(np.isnan(series.values).any() for series in homes[0].numeric)


def test_numeric_entities_keep_the_promises(homes):
    figures = Figures()
    for seed, home in zip(SEEDS, homes, strict=True):
        for index, series in enumerate(home.numeric):
            figures.add_clean(strata(home.world.times, series.values, home.world.timezone))
            clear = [(f, s) for f in NUMERIC if f.befalls(series.traits) for s in f.sizes if s >= f.clear_from]
            for turn in range(3):
                fault, size = clear[(7 * index + 5 * turn + seed) % len(clear)]
                rng = np.random.default_rng([seed, index, turn])
                values, where = inject(series.values, fault, size, series.traits, rng)
                alarms = strata(home.world.times, values, home.world.timezone)
                figures.add_fault(fault.kind, size, alarms, where, clear=True)
    assert figures.per_week <= 0.12
    assert figures.recall >= 0.80
    assert figures.f1 >= 0.75


def test_event_entities_keep_the_promises(homes):
    figures = Figures()
    for seed, home in zip(SEEDS, homes, strict=True):
        end = int(home.world.times[-1]) + MICROS
        for events in home.events:

            def alarms(counts, home=home, end=end):
                times = home.world.times
                found = scan(times, counts, kind="event", timezone=home.world.timezone, until=end)
                return alarms_of(found.episodes, times)

            figures.add_clean(alarms(events.counts))
            for fault in EVENTS:
                if not happenings.befalls(events, fault):
                    continue
                size = fault.sizes[-1]
                rng = np.random.default_rng([seed, *fault.kind.encode(), *events.name.encode()])
                counts, where = happenings.inject(home.world, events, fault, size, rng)
                figures.add_fault(fault.kind, size, alarms(counts), where, clear=True, slack=HOUR)
    assert figures.per_week <= 0.25
    assert figures.recall >= 0.80


def test_a_month_takes_less_than_fifty_milliseconds_of_processor_time(homes):
    series = homes[0].numeric[0]
    times, values = homes[0].world.times[-30 * DAY :], series.values[-30 * DAY :]
    taken = []
    for _ in range(5):
        began = time.process_time()
        scan(times, values, timezone=homes[0].world.timezone)
        taken.append(time.process_time() - began)
    assert min(taken) <= 0.050


def test_a_real_meter_known_for_two_days_is_told_nothing_of():
    """Two days of a real house: learning, so even a tenfold load is nothing yet, and a standstill is."""
    files = sorted(REAL_METER.glob("*.csv"))
    if not files:
        pytest.skip(f"no real meter's history in {REAL_METER}")
    times, values = [], []
    for path in files:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines):
                try:
                    values.append(float(row["state"]))
                except ValueError:
                    continue
                times.append(to_micros(datetime.fromisoformat(row["last_changed"])))
    result = scan(times, values, timezone="America/Chicago", unit="W")
    assert result.status == "learning"
    assert result.episodes == ()
    high = np.array(values)
    high[-2000:] *= 10
    assert scan(times, high, timezone="America/Chicago").episodes == ()
    # The same two days thirteen times over: a home known long enough, with a fault at its end.
    span = round(np.ptp(np.array(times)) / (DAY * MICROS)) * DAY * MICROS
    long_times = np.concatenate([np.array(times) + turn * span for turn in range(13)])
    long_values = np.tile(np.array(values), 13)
    assert scan(long_times, long_values, timezone="America/Chicago").episodes == ()
    long_values[-3000:] += 2 * (np.quantile(values, 0.995) - np.quantile(values, 0.005))
    kinds = {e.kind for e in scan(long_times, long_values, timezone="America/Chicago").episodes}
    assert kinds & {AnomalyKind.LEVEL_SHIFT, AnomalyKind.SPIKE, AnomalyKind.BASE_LOAD}
