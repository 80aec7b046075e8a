"""Standby of made-up nights whose floor is known, and against a plain reckoning minute by minute."""

from datetime import UTC, date, datetime, time, timedelta
import random
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from custom_components.strata.analysis.baseload import (
    Night,
    Standby,
    night_floors,
    sleeping_hours,
    standby_power,
    trend,
)

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def house(first: date, days: int, *, floor: float = 80.0, step: int = 1, zone: ZoneInfo = BERLIN):
    """A home that draws `floor` W from 02:00 to 02:15 local time and more at all other times."""
    start = datetime.combine(first, time(), zone).astimezone(UTC)
    end = datetime.combine(first + timedelta(days=days), time(), zone).astimezone(UTC)
    times = [start + MINUTE * minute for minute in range(0, int((end - start) / MINUTE), step)]
    watts = []
    for moment in times:
        local = moment.astimezone(zone)
        quiet = local.hour == 2 and local.minute < 15
        watts.append(floor if quiet else 150.0 + 20.0 * (local.minute < 30))
    return times, watts


def test_floor_is_the_lowest_quarter_and_many_nights_have_a_median() -> None:
    times, watts = house(date(2026, 11, 1), 20)
    standby = standby_power(times, watts, timezone="Europe/Berlin")
    assert standby == pytest.approx(80.0)
    assert standby is not None
    assert standby.watts == pytest.approx(80.0)
    assert len(standby.nights) == 20
    # 80 W for 8760 hours at 0.30 per kWh.
    assert standby.kwh_a_year == pytest.approx(700.8)
    assert standby.yearly_cost(0.30) == pytest.approx(210.24)


def test_fewer_than_fourteen_nights_say_nothing() -> None:
    assert standby_power(*house(date(2026, 11, 1), 13), timezone="Europe/Berlin") is None
    assert standby_power(*house(date(2026, 11, 1), 14), timezone="Europe/Berlin") == pytest.approx(80.0)
    assert standby_power([], [], timezone="Europe/Berlin") is None


def test_one_odd_night_changes_nothing() -> None:
    times, watts = house(date(2026, 11, 1), 15)
    party = date(2026, 11, 7)
    watts = [
        900.0 if moment.astimezone(BERLIN).date() == party else power
        for moment, power in zip(times, watts, strict=True)
    ]
    assert standby_power(times, watts, timezone="Europe/Berlin") == pytest.approx(80.0)


@pytest.mark.parametrize(
    ("day", "timezone", "hours", "start"),
    [
        (date(2026, 3, 29), "Europe/Berlin", 3, datetime(2026, 3, 29, 0, tzinfo=UTC)),
        (date(2026, 10, 25), "Europe/Berlin", 5, datetime(2026, 10, 24, 23, tzinfo=UTC)),
        (date(2026, 11, 20), "Europe/Berlin", 4, datetime(2026, 11, 20, 0, tzinfo=UTC)),
        # In Britain clocks go back from 2 to 1: the hour from 1 to 2 comes twice and all of it is night.
        (date(2026, 10, 25), "Europe/London", 5, datetime(2026, 10, 25, 0, tzinfo=UTC)),
        (date(2026, 3, 29), "Europe/London", 3, datetime(2026, 3, 29, 1, tzinfo=UTC)),
        (date(2026, 4, 5), "Australia/Lord_Howe", 4.5, datetime(2026, 4, 4, 14, tzinfo=UTC)),
        (date(2026, 11, 20), "Asia/Kolkata", 4, datetime(2026, 11, 19, 19, 30, tzinfo=UTC)),
    ],
)
def test_nights_are_as_long_as_the_clock_makes_them(day: date, timezone: str, hours: float, start: datetime) -> None:
    begin, end = sleeping_hours(day, timezone)
    assert begin == start
    assert end - begin == timedelta(hours=hours)


def test_sleep_may_begin_on_the_evening_before() -> None:
    begin, end = sleeping_hours(date(2026, 11, 20), "Europe/Berlin", (time(23), time(5)))
    assert (begin, end) == (datetime(2026, 11, 19, 22, tzinfo=UTC), datetime(2026, 11, 20, 4, tzinfo=UTC))


@pytest.mark.parametrize(("day", "nights"), [(date(2026, 3, 28), 2), (date(2026, 10, 24), 2)])
def test_nights_of_a_clock_change_have_their_floor(day: date, nights: int) -> None:
    # 02:00 to 02:15 does not exist on 29 March, so only the quarters after 03:00 are left: their floor is 150 W.
    floors = night_floors(*house(day, nights), timezone="Europe/Berlin")
    assert [night.day for night in floors] == [day, day + timedelta(days=1)]
    expected = [80.0, 150.0] if day.month == 3 else [80.0, 80.0]
    assert [night.watts for night in floors] == pytest.approx(expected)


def test_times_in_every_form_are_the_same_times() -> None:
    times, watts = house(date(2026, 11, 1), 14, step=5)
    micros = [int(moment.timestamp()) * 1_000_000 for moment in times]
    stamps = np.array(micros, "datetime64[us]").astype("datetime64[ns]")
    values = [
        standby_power(form, watts, timezone="Europe/Berlin") for form in (times, micros, np.array(micros), stamps)
    ]
    assert values == [pytest.approx(80.0)] * 4
    shuffled = list(zip(micros, watts, strict=True))
    random.Random(1).shuffle(shuffled)
    assert standby_power(*zip(*shuffled, strict=True), timezone="Europe/Berlin") == pytest.approx(80.0)


def test_hourly_readings_do_too() -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    times = [start + timedelta(hours=hour) for hour in range(24 * 14 + 6)]
    watts = [60.0 if moment.hour == 2 else 200.0 for moment in times]
    assert standby_power(times, watts, timezone="UTC") == pytest.approx(60.0)


def test_silence_is_no_low_power() -> None:
    times, watts = house(date(2026, 11, 1), 14)
    # From 01:00 to 03:30 nothing is known: gone, or said to be unknown. Six quarters are too few for a night.
    silent = [time(1) <= moment.astimezone(BERLIN).time() < time(3, 30) for moment in times]
    unknown = [np.nan if hole else power for hole, power in zip(silent, watts, strict=True)]
    assert night_floors(times, unknown, timezone="Europe/Berlin") == ()
    # Without a word the last value holds an hour, to 01:59; ten quarters are known, the quiet one is not.
    kept = [(moment, power) for moment, power, hole in zip(times, watts, silent, strict=True) if not hole]
    floors = night_floors(*zip(*kept, strict=True), timezone="Europe/Berlin")
    assert {night.watts for night in floors} == {150.0}


def test_negative_power_and_infinities_are_left_out() -> None:
    times, watts = house(date(2026, 11, 1), 14)
    wrong = [
        -500.0 if moment.astimezone(BERLIN).hour == 2 else power for moment, power in zip(times, watts, strict=True)
    ]
    assert standby_power(times, wrong, timezone="Europe/Berlin") == pytest.approx(150.0)
    wrong = [
        np.inf if moment.astimezone(BERLIN).hour == 2 else power for moment, power in zip(times, watts, strict=True)
    ]
    assert standby_power(times, wrong, timezone="Europe/Berlin") == pytest.approx(150.0)


def test_known_loads_do_not_count() -> None:
    times, watts = house(date(2026, 11, 1), 14)
    server = (times[::10], [30.0] * len(times[::10]))
    # Charges from 02:00 to 02:15 with nothing but noise, so it takes nothing away from that quarter.
    heater = (times, [100.0 if power > 100 else 0.0 for power in watts])
    assert standby_power(times, watts, timezone="Europe/Berlin", loads=[server]) == pytest.approx(50.0)
    # Without the heater other quarters are lower: 150 - 100 - 30.
    assert standby_power(times, watts, timezone="Europe/Berlin", loads=[server, heater]) == pytest.approx(20.0)
    assert standby_power(times, watts, timezone="Europe/Berlin", loads=[([], [])]) == pytest.approx(80.0)


def test_columns_have_to_match() -> None:
    with pytest.raises(ValueError, match="columns"):
        standby_power([1, 2], [1.0], timezone="UTC")


def test_floor_equals_a_plain_reckoning() -> None:
    draw = random.Random(7)
    for _ in range(20):
        start = datetime(2026, 10, 20, tzinfo=UTC)
        times, watts = [], []
        moment = start
        while moment < start + timedelta(days=8):
            times.append(moment)
            watts.append(draw.choice([float("nan"), *(draw.uniform(-20, 400) for _ in range(12))]))
            moment += timedelta(seconds=60 * draw.choice([1, 1, 2, 5, 20, 100]))
        floors = {night.day: night.watts for night in night_floors(times, watts, timezone="Europe/Berlin")}
        assert floors == pytest.approx(_plainly(times, watts))


def _plainly(times: list[datetime], watts: list[float]) -> dict[date, float]:
    """The same, minute by minute."""
    held: dict[datetime, float] = {}
    for moment, after, power in zip(times, [*times[1:], times[-1] + timedelta(hours=1)], watts, strict=True):
        for minute in range(int(min(after - moment, timedelta(hours=1)) / MINUTE)):
            held[moment + MINUTE * minute] = power
    nights: dict[date, dict[datetime, list[float]]] = {}
    minute = times[0]
    end = max(held) + MINUTE
    while minute < end:
        local = minute.astimezone(BERLIN)
        if 1 <= local.hour < 5:
            quarter = minute.replace(minute=minute.minute // 15 * 15)
            power = held.get(minute, float("nan"))
            nights.setdefault(local.date(), {}).setdefault(quarter, []).append(power)
        minute += MINUTE
    floors = {}
    for day, quarters in nights.items():
        if datetime.combine(day, time(5), BERLIN) > end:
            continue
        means = []
        for powers in quarters.values():
            known = [power for power in powers if not np.isnan(power)]
            if len(known) >= 12:
                means.append(sum(known) / len(known))
        good = [mean for mean in means if mean >= 0]
        expected = (sleeping_hours(day, "Europe/Berlin")[1] - sleeping_hours(day, "Europe/Berlin")[0]) / timedelta(
            minutes=15
        )
        if good and len(good) >= expected / 2:
            floors[day] = min(good)
    return floors


def nights(*watts: float) -> list[Night]:
    first = date(2026, 10, 1)
    return [
        Night(first + timedelta(days=number), power, *sleeping_hours(first + timedelta(days=number), "UTC"))
        for number, power in enumerate(watts)
    ]


def test_standby_is_that_of_the_last_thirty_nights() -> None:
    standby = Standby.of(nights(*[500.0] * 30, *[90.0] * 30))
    assert standby == 90.0


@pytest.mark.parametrize(
    ("before", "newest", "watts", "risen"),
    [
        (100.0, (121.0, 130.0, 125.0), 25.0, True),
        (100.0, (121.0, 119.0, 125.0), 21.0, False),
        # 20 % of 50 W is 10 W, which is less than 15 W.
        (50.0, (64.0, 64.0, 64.0), 14.0, False),
        (50.0, (66.0, 66.0, 66.0), 16.0, True),
        (100.0, (60.0, 61.0, 62.0), -39.0, False),
    ],
)
def test_trend_compares_three_nights_with_those_before(
    before: float, newest: tuple[float, ...], watts: float, risen: bool
) -> None:
    found = trend(nights(*[before] * 14, *newest))
    assert found is not None
    assert (found.watts, found.risen) == (pytest.approx(watts), risen)


def test_trend_needs_nights_to_compare_with() -> None:
    assert trend(nights(*[100.0] * 16)) is None
