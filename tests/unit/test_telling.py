"""Who is told what: groups, few a day, nothing old, nothing twice."""

from custom_components.strata.analysis.base import AnomalyKind, Episode, Severity
from custom_components.strata.analysis.watching import Target
from custom_components.strata.anomalies.telling import Alert, Teller
from custom_components.strata.core.model import Kind, Series, SeriesKey

HOUR = 3_600_000_000
NOON = 1_795_262_400_000_000
"""2026-11-21 12:00 UTC."""


def alert(entity: str, start: int, *, at: int | None = None, severity: Severity = Severity.MEDIUM) -> Alert:
    series = Series(SeriesKey.of_entity("home_assistant_events", entity), Kind.MEASUREMENT)
    episode = Episode(start, None, start, 7.0, severity, AnomalyKind.SPIKE, "text", (), alerts=(start,))
    return Alert(Target(entity, series, "numeric", "power"), episode, start if at is None else at)


def test_episodes_that_begin_within_three_hours_are_one_finding_of_the_most_severe() -> None:
    teller = Teller()
    alerts = [
        alert("sensor.a", NOON - 3 * HOUR),
        alert("sensor.b", NOON - HOUR, severity=Severity.HIGH),
        alert("sensor.c", NOON + HOUR),
    ]
    together, apart = teller.tell(alerts, NOON + HOUR, "UTC")
    assert together.main.target.entity_id == "sensor.b"
    assert [each.target.entity_id for each in together.related] == ["sensor.a"]
    assert together.notify
    # It began four hours after the first, but two after the second: close enough to a finding already told.
    assert [apart.main.target.entity_id, apart.related] == ["sensor.c", ()]


def test_what_joins_a_finding_that_was_told_notifies_nobody() -> None:
    teller = Teller()
    [first] = teller.tell([alert("sensor.a", NOON)], NOON, "UTC")
    [second] = teller.tell([alert("sensor.b", NOON + 2 * HOUR)], NOON + 2 * HOUR, "UTC")
    [third] = teller.tell([alert("sensor.c", NOON + 6 * HOUR)], NOON + 6 * HOUR, "UTC")
    assert [first.notify, second.notify, third.notify] == [True, False, True]


def test_an_episode_that_grew_worse_notifies_again() -> None:
    teller = Teller()
    teller.tell([alert("sensor.a", NOON)], NOON, "UTC")
    [again] = teller.tell([alert("sensor.a", NOON, at=NOON + HOUR)], NOON + HOUR, "UTC")
    assert again.notify


def test_a_local_day_has_three_notifications() -> None:
    teller = Teller()
    told = [
        teller.tell([alert(f"sensor.{number}", NOON + number * 4 * HOUR)], NOON + number * 4 * HOUR, "Europe/Berlin")[0]
        for number in range(-2, 4)
    ]
    # 5, 9 and 13 o'clock in Berlin; 17 and 21 are too many, 1 is the next day.
    assert [each.notify for each in told] == [True, True, True, False, False, True]


def test_slight_findings_wait_for_the_digest() -> None:
    [told] = Teller().tell([alert("sensor.a", NOON, severity=Severity.LOW)], NOON, "UTC")
    assert not told.notify


def test_old_alerts_are_history() -> None:
    assert Teller().tell([alert("sensor.a", NOON - 7 * HOUR)], NOON, "UTC") == []


def test_what_was_told_survives_a_restart() -> None:
    teller = Teller()
    teller.tell([alert("sensor.a", NOON)], NOON, "UTC")
    again = Teller.from_json(teller.as_json())
    assert again == teller
    [joined] = again.tell([alert("sensor.b", NOON + HOUR)], NOON + HOUR, "UTC")
    assert not joined.notify


def test_what_cannot_be_read_counts_as_nothing() -> None:
    for broken in (None, {}, {"begun": 1, "notified": []}, {"begun": ["x"], "notified": []}):
        assert Teller.from_json(broken) == Teller()
