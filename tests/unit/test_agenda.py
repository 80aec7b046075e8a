"""The agenda of windows: who chooses first, who keeps clear of whom, what stays, what is done without a forecast."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from custom_components.strata.core.agenda import Appointment, Booking, book
from custom_components.strata.core.model import Forecast, Slot
from custom_components.strata.core.outlook import Aim, Outlook
from custom_components.strata.core.window import Phase

ZONE = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 21, 11, tzinfo=UTC)
"""Noon in Berlin."""
HOUR = timedelta(hours=1)


def foreseen(*values: float) -> Outlook:
    slots = tuple(Slot(NOON + at * HOUR, NOON + (at + 1) * HOUR, value) for at, value in enumerate(values))
    return Outlook(price=Forecast("EUR/kWh", NOON, slots))


def load(key: str, hours: float = 1, **more: Any) -> Appointment:
    given: dict[str, Any] = {"profile": (Phase(hours * HOUR, 1000),), "weights": {Aim.PRICE: 1.0}, **more}
    return Appointment(key=key, **given)


def starts(bookings: dict[str, Booking | None]) -> dict[str, float | None]:
    return {key: (one.start - NOON) / HOUR if one else None for key, one in bookings.items()}


def plan(
    *loads: Appointment, outlook: Outlook | None, kept: dict[str, Booking] | None = None, now: datetime = NOON
) -> dict[str, Booking | None]:
    return book(loads, kept or {}, outlook, now, ZONE)


PRICES = foreseen(0.4, 0.3, 0.1, 0.2, 0.5, 0.6)


def test_the_lower_rank_chooses_first() -> None:
    bookings = plan(load("washer", rank=2), load("car", 2, rank=1), outlook=PRICES)
    assert starts(bookings) == {"car": 2, "washer": 1}
    bookings = plan(load("washer", rank=1), load("car", 2, rank=2), outlook=PRICES)
    # The car has the choice between (0.4, 0.3) and (0.2, 0.5): both 0.7, and the earlier is taken.
    assert starts(bookings) == {"washer": 2, "car": 0}


def test_loads_that_need_not_be_kept_apart_share_the_best_time() -> None:
    bookings = plan(load("washer"), load("pump", apart=False), outlook=PRICES)
    assert starts(bookings) == {"washer": 2, "pump": 2}
    assert not any(one and one.overlaps for one in bookings.values())


def test_without_time_of_its_own_a_load_overlaps_and_says_so() -> None:
    bookings = plan(load("a", 4), load("b", 4), outlook=PRICES)
    assert starts(bookings) == {"a": 0, "b": 0}
    assert [one.overlaps for one in bookings.values() if one] == [False, True]


def test_what_has_begun_is_not_moved_and_kept_clear_of() -> None:
    begun = Booking(parts=((NOON - HOUR, NOON + HOUR), (NOON + 2 * HOUR, NOON + 3 * HOUR)), until=NOON + 11 * HOUR)
    bookings = plan(load("car", rank=9), load("washer", rank=1), outlook=PRICES, kept={"car": begun})
    assert bookings["car"] is begun
    assert starts(bookings)["washer"] == 3
    assert begun.runs_at(NOON)
    assert not begun.runs_at(NOON + HOUR)
    assert begun.borders_after(NOON) == [NOON + HOUR, NOON + 2 * HOUR, NOON + 3 * HOUR]


def test_a_load_runs_once_in_a_daily_span() -> None:
    done = Booking(parts=((NOON - 2 * HOUR, NOON - HOUR),), until=NOON + 12 * HOUR)
    ahead = foreseen(*[0.1] * 12, *[0.3, 0.2, 0.4])
    # Until midnight in Berlin, 12 hours from now, it has run.
    assert starts(plan(load("washer"), outlook=ahead, kept={"washer": done})) == {"washer": 13}
    assert starts(plan(load("washer"), outlook=ahead)) == {"washer": 0}


def test_between_the_times_of_day() -> None:
    ahead = foreseen(*[0.1] * 9, 0.5, 0.4, 0.3, 0.2, *[0.3] * 8)
    night = {"not_before": time(21), "ready_by": time(7)}
    bookings = plan(load("car", 2, **night), outlook=ahead)
    # 21:00 is nine hours from now; the two hours of 0.3 and 0.2 begin at eleven.
    assert starts(bookings) == {"car": 11}
    assert bookings["car"] is not None
    assert bookings["car"].until == NOON + 19 * HOUR


def test_with_a_deadline_it_runs_at_the_last_moment_when_nothing_is_foreseen() -> None:
    for outlook in (None, Outlook(carbon=PRICES.price), foreseen(0.1)):
        bookings = plan(load("car", 3, ready_by=time(18)), load("pump", 3), outlook=outlook)
        assert starts(bookings) == {"car": 3, "pump": None}
        assert bookings["car"] is not None
        assert bookings["car"].plan is None
    # A second one overlaps with it, and says so.
    both = plan(load("a", 3, ready_by=time(18)), load("b", 3, ready_by=time(18)), outlook=None)
    assert [one.overlaps for one in both.values() if one] == [False, True]


def test_what_fits_into_no_span_is_not_booked() -> None:
    assert plan(load("car", 5, not_before=time(9), ready_by=time(12)), outlook=PRICES) == {"car": None}


def test_loose_loads_and_own_power() -> None:
    bookings = plan(load("pool", 2, contiguous=False, shortest_run=HOUR), outlook=foreseen(0.4, 0.1, 0.5, 0.1))
    assert bookings["pool"] is not None
    assert [(start - NOON) / HOUR for start, _ in bookings["pool"].parts] == [1, 3]
    sun = Forecast("W", NOON, (Slot(NOON + HOUR, NOON + 2 * HOUR, 1500.0),))
    outlook = Outlook(price=foreseen(0.2, 0.5, 0.3).price, solar=sun)
    assert starts(plan(load("a", house_watts=500), outlook=outlook)) == {"a": 1}
    assert starts(plan(load("a", house_watts=500, export_price=0.4), outlook=outlook)) == {"a": 0}
    assert starts(plan(load("a", house_watts=1200), outlook=outlook)) == {"a": 0}
