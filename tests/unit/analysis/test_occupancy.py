"""Predictions for days whose course is plain to see; probabilities are computed by hand beside them."""

from datetime import UTC, datetime, timedelta
from math import exp, log

import pytest

from custom_components.strata.analysis.calendar import AwayWindow, CalendarEvent, Rules
from custom_components.strata.analysis.occupancy import Outlook, Prediction, household, predict
from custom_components.strata.analysis.weekly_profile import Presence, WeeklyProfile
from custom_components.strata.analysis.words import WordList
from custom_components.strata.core.model import Slot

RULES = Rules(timezone="Europe/Berlin", away=WordList(("flight",)), lead=timedelta(minutes=20))
NOTHING_KNOWN = WeeklyProfile()
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


def at(hour: int, minute: int = 0, day: int = 20) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


NOW = at(8, 5)


def event(start: datetime, end: datetime, **said: object) -> CalendarEvent:
    return CalendarEvent(start=start, end=end, **said)  # type: ignore[arg-type]


def predicted(
    *events: CalendarEvent,
    now: datetime = NOW,
    present: bool | None = True,
    profile: WeeklyProfile = NOTHING_KNOWN,
    rules: Rules = RULES,
) -> Prediction:
    return predict(events, now=now, present=present, profile=profile, rules=rules)


def chance(prediction: Prediction, moment: datetime) -> float:
    return next(slot.value for slot in prediction.outlook.slots if slot.start <= moment < slot.end)


def sigmoid(log_odds: float) -> float:
    return 1 / (1 + exp(-log_odds))


MEETING = event(at(10), at(12), location="Torstraße 1")


def test_arrival_is_the_end_of_the_last_event_away_and_the_way_home() -> None:
    prediction = predicted(
        MEETING,
        # The way home would end after the way out has begun, so both are one stretch.
        event(at(12, 30), at(16), location="Kantstraße 1"),
        event(at(20), at(22), location="Arena"),
    )
    assert prediction.departure == at(9, 30)
    assert prediction.arrival == at(16, 30)
    assert prediction.prepare == at(16, 10)


def test_overnight_event_ends_on_the_next_day() -> None:
    prediction = predicted(event(at(20), at(5, day=21), summary="Night flight"))
    assert prediction.arrival == at(5, 30, day=21)
    assert prediction.departure == at(19, 30)


def test_event_beyond_the_horizon_still_has_its_end() -> None:
    prediction = predicted(event(at(10), at(10, day=27), location="Lisbon"))
    assert prediction.arrival == at(10, 30, day=27)
    # Away before by the last slot that is foreseen, unknown after.
    assert prediction.confidence == pytest.approx((1 - prediction.outlook.slots[-1].value) * 0.5)


def test_nothing_foreseen_and_nothing_known() -> None:
    prediction = predicted()
    assert (prediction.arrival, prediction.departure, prediction.prepare) == (None, None, None)
    assert prediction.outlook.home
    assert not prediction.outlook.wfh
    assert len(prediction.outlook.slots) == 96
    assert prediction.outlook.slots[0].start == at(8)
    # Presence fades by half an hour after hour: 3 now, 1.5 in an hour; habits are unknown and add nothing.
    assert chance(prediction, at(8)) == pytest.approx(sigmoid(3 * 0.5 ** (10 / 60)))
    assert chance(prediction, at(9)) == pytest.approx(sigmoid(3 * 0.5 ** (70 / 60)))
    assert chance(prediction, at(12, day=21)) == pytest.approx(0.5, abs=0.001)
    assert 0.5 < prediction.confidence < 0.6


def test_presence_comes_from_the_tracker_and_not_from_the_calendar() -> None:
    wfh = event(at(7), at(15), summary="WFH")
    gone = predicted(wfh, present=False)
    assert not gone.outlook.home
    assert gone.outlook.wfh
    there = predicted(event(at(7, 50), at(15), location="Office tower"), present=True)
    assert there.outlook.home
    # Without a tracker the calendar has to do.
    assert predicted(wfh, present=None).outlook.home
    assert not predicted(event(at(7), at(15), location="Office tower"), present=None).outlook.home


def test_events_count_less_the_farther_ahead_they_are() -> None:
    week = [
        Presence(MONDAY - timedelta(days=day), MONDAY - timedelta(days=day - 1), 0.75 * 86400, 86400)
        for day in range(1, 15)
    ]
    profile = WeeklyProfile.learned(week, "Europe/Berlin")
    prediction = predicted(MEETING, event(at(10, day=21), at(12, day=21), location="Arena"), profile=profile)
    for moment, alike in ((at(11), 10), (at(11, day=21), 4)):
        ahead = (moment + timedelta(minutes=15) - NOW) / timedelta(hours=72)
        weight = 0.5**ahead
        # Each quarter was seen twice with three quarters at home, in doubt as the like days are.
        usual = (alike * 0.75 + 0.5) / (alike + 1)
        share = (2 * 0.75 + usual) / 3
        expected = sigmoid(weight * -2.2 + (1 - weight) * log(share / (1 - share)))
        assert chance(prediction, moment) == pytest.approx(expected)


def test_tentative_event_is_half_believed() -> None:
    sure, maybe = (
        predicted(event(at(10), at(12), location="Arena", status=status)) for status in ("confirmed", "tentative")
    )
    weight = 0.5 ** ((at(11, 15) - NOW) / timedelta(hours=72))
    assert chance(sure, at(11)) == pytest.approx(sigmoid(-2.2 * weight))
    assert chance(maybe, at(11)) == pytest.approx(sigmoid(-1.1 * weight))
    assert maybe.arrival == sure.arrival
    assert maybe.confidence < sure.confidence


def test_shorter_event_is_the_exception_from_the_longer() -> None:
    day = event(at(7), at(16), summary="WFH")
    prediction = predicted(day, event(at(10), at(11), location="Dentist"))
    assert prediction.outlook.wfh
    assert chance(prediction, at(10)) < 0.15
    assert chance(prediction, at(13)) > 0.8
    assert prediction.arrival == at(11, 30)


def test_who_stays_at_home_does_not_go_there() -> None:
    late = event(at(7, 40), at(12), location="Office tower")
    assert predicted(late, now=at(8, 5)).arrival == at(12, 30)
    assert predicted(late, now=at(8, 5)).departure == at(8, 5)
    stayed = predicted(late, now=at(8, 10))
    assert stayed.arrival is None
    assert stayed.outlook.windows == ()
    # Who has left is believed to be there.
    assert predicted(late, now=at(8, 10), present=False).arrival == at(12, 30)


def test_away_without_an_event_comes_back_when_home_is_probable() -> None:
    habits = [
        Presence(start, start + timedelta(hours=1), 0.0 if 8 <= hour < 17 else 3600.0, 3600.0)
        for day in range(1, 22)
        for hour in range(24)
        if (start := MONDAY - timedelta(days=day) + timedelta(hours=hour - 1))
    ]
    profile = WeeklyProfile.learned(habits, "Europe/Berlin")
    # Away from 8 to 17 in Berlin, which is 7 to 16 UTC.
    workday = predicted(present=False, profile=profile)
    assert workday.arrival == at(16)
    assert workday.confidence > 0.9
    evening = predicted(present=False, now=at(18), profile=profile)
    # The habit of being at home outweighs "away now" when half of 3 per hour has faded below it.
    odds = log(0.98 / 0.02)
    hours = next(step for step in range(20) if (w := 0.5 ** (step / 2 + 0.25)) * -3 + (1 - w) * odds > 0) / 2
    assert evening.arrival == at(18) + timedelta(hours=hours)
    # At home by habit: leaves at 7 UTC tomorrow and is back at 16.
    night = predicted(now=at(20), profile=profile)
    assert (night.departure, night.arrival) == (at(7, day=21), at(16, day=21))
    # Nine of 24 hours away, two of a hundred times wrong.
    assert night.away_hours == pytest.approx(9, abs=0.6)
    # An event tells more than the habit, even when it ends earlier.
    assert predicted(MEETING, present=False, now=at(9, 45), profile=profile).arrival == at(12, 30)


def test_away_for_good_has_no_arrival() -> None:
    gone = [Presence(MONDAY - timedelta(days=day), MONDAY - timedelta(days=day - 1), 0, 86400) for day in range(1, 40)]
    prediction = predicted(present=False, profile=WeeklyProfile.learned(gone, "Europe/Berlin"))
    assert prediction.arrival is None
    assert prediction.departure is None
    assert prediction.away_hours == pytest.approx(24, abs=0.6)
    assert prediction.confidence > 0.9


@pytest.mark.parametrize(
    ("told", "wfh"),
    [
        ([event(at(9), at(17), summary="WFH")], True),
        ([event(at(9, day=21), at(17, day=21), summary="WFH")], False),
        # The home's day, not UTC's: 23:30 UTC is tomorrow in Berlin, 23:30 the evening before is today.
        ([event(at(23, 30), at(23, 45), summary="WFH")], False),
        ([event(at(23, 30, day=19), at(23, 45, day=19), summary="WFH")], True),
        ([event(at(9), at(17), summary="WFH"), event(at(9), at(17), working_location="officeLocation")], False),
        ([event(at(9), at(17), summary="WFH"), event(at(9), at(17), event_type="outOfOffice")], False),
        ([event(at(9), at(17), summary="WFH"), MEETING], True),
        ([event(at(9), at(17), summary="Homer")], False),
    ],
)
def test_works_from_home_today(told: list[CalendarEvent], wfh: bool) -> None:
    assert predicted(*told).outlook.wfh is wfh


def person(*values: float, home: bool = False, windows: tuple[AwayWindow, ...] = ()) -> Outlook:
    slots = tuple(
        Slot(at(8) + timedelta(minutes=30 * number), at(8, 30) + timedelta(minutes=30 * number), value)
        for number, value in enumerate(values)
    )
    return Outlook(now=NOW, home=home, wfh=False, slots=slots, windows=windows)


def test_household_is_at_home_when_somebody_is() -> None:
    both = household(
        [
            person(0.1, 0.2, 0.9, windows=(AwayWindow(at(7), at(9)),)),
            person(0.5, 0.1, 0.9, 0.9, windows=(AwayWindow(at(8), at(8, 45), 0.5), AwayWindow(at(10), at(11)))),
        ],
        timedelta(minutes=15),
    )
    assert not both.outlook.home
    assert [slot.value for slot in both.outlook.slots] == pytest.approx([0.55, 0.28, 0.99])
    assert both.outlook.windows == (AwayWindow(at(8), at(8, 45), 0.5),)
    assert both.arrival == at(8, 45)
    assert both.prepare == at(8, 30)
    one_there = household([person(0.1), person(0.9, home=True)], timedelta())
    assert one_there.outlook.home
    assert one_there.arrival is None
    with pytest.raises(ValueError, match="somebody"):
        household([], timedelta())
