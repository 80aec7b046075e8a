"""The demo's home, and the plain arithmetic that the store is held against."""

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from scripts.demo_home.comparison import Comparison
from scripts.demo_home.history import HistoryError, history
from scripts.demo_home.home import DAY, GAPS, HOUR, MINUTE, SECOND, Change, Home, HomeEntity, Nature
from scripts.demo_home.simulated_home import micros, simulated_home
from scripts.demo_home.truth import Bucket, Told, add_up, borders, news

pytestmark = pytest.mark.xdist_group("simulated_home")

LAMP = HomeEntity(entity_id="light.lamp", nature=Nature.SWITCH)
METER = HomeEntity(entity_id="sensor.meter", nature=Nature.REGISTER)
POWER = HomeEntity(entity_id="sensor.power", nature=Nature.LEVEL)


@pytest.fixture(scope="module")
def home() -> Home:
    return simulated_home(days=3)


def by_entity(home: Home) -> dict[str, list[Change]]:
    apart: dict[str, list[Change]] = {name: [] for name in home.entities}
    for change in home.changes:
        apart[change.entity_id].append(change)
    return apart


def test_the_home_has_what_homes_have(home: Home):
    assert len(home.entities) >= 40
    domains = {name.partition(".")[0] for name in home.entities}
    assert {"sensor", "binary_sensor", "light", "switch", "climate", "person", "cover", "lock"} <= domains
    classes = {entity.attributes.get("device_class") for entity in home.entities.values()}
    assert {"power", "energy", "temperature", "humidity", "door", "motion", "battery", "monetary"} <= classes
    assert {entity.nature for entity in home.entities.values()} == set(Nature)
    assert all(len(changes) > 0 for changes in by_entity(home).values())


def test_a_seed_is_a_home(home: Home):
    assert simulated_home(days=3).changes == home.changes
    assert simulated_home(days=3, seed=2).changes != home.changes


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_change_of_an_entity_is_later_than_the_one_before_and_another_state(seed: int):
    home = simulated_home(seed=seed, days=3)
    assert all(a.time <= b.time for a, b in pairwise(home.changes))
    assert home.begin <= home.changes[0].time
    assert home.changes[-1].time < home.end
    for name, changes in by_entity(home).items():
        assert all(a.time < b.time for a, b in pairwise(changes)), name
        assert all(a.state != b.state for a, b in pairwise(changes)), name


def test_the_clocks_change_and_the_power_fails_while_it_lives(home: Home):
    zone = ZoneInfo(home.timezone)
    offsets = {datetime.fromtimestamp(change.time / SECOND, zone).utcoffset() for change in home.changes}
    assert len(offsets) == 2
    assert all(home.begin < down.stop < down.start < home.end for down in home.downtimes)
    assert any(down.start - down.stop > 2 * HOUR for down in home.downtimes)


def test_devices_drop_out_and_come_back(home: Home):
    for name, changes in by_entity(home).items():
        assert changes[-1].state not in GAPS, name
    assert sum(change.state in GAPS for change in home.changes) > 5


def test_a_daily_register_falls_at_local_midnight_and_never_else(home: Home):
    zone = ZoneInfo(home.timezone)
    changes = by_entity(home)["sensor.solar_today"]
    falls = [b.time for a, b in pairwise(changes) if float(b.state) < float(a.state)]
    assert [datetime.fromtimestamp(time / SECOND, zone).strftime("%d %H:%M") for time in falls] == [
        "25 00:00",
        "26 00:00",
        "27 00:00",
    ]


def test_a_home_of_two_days_is_refused():
    with pytest.raises(ValueError, match="at least 3 days"):
        simulated_home(days=2)


def told(*rows: tuple[float, str | None], entity: HomeEntity = POWER) -> list[Told]:
    return [
        Told(round(minute * MINUTE), None if state is None else Change(round(minute * MINUTE), entity.entity_id, state))
        for minute, state in rows
    ]


def test_a_mean_is_weighted_by_time_and_leaves_out_what_is_not_known():
    rows = told((0, "100"), (30, "200"), (45, "unavailable"), (70, "50"), (100, None))
    first, second = add_up(POWER, rows, [0, HOUR, 2 * HOUR])
    # 30 min of 100 and 15 of 200; then 30 min of 50 until Home Assistant stops.
    assert (first.covered, first.integral) == (2700, 30 * 60 * 100 + 15 * 60 * 200)
    assert (second.covered, second.mean) == (1800, 50)


def test_a_faulty_reading_counts_nowhere():
    rows = told((0, "20"), (20, "85"), (40, "21"))
    rows[1] = Told(rows[1].time, Change(rows[1].time, POWER.entity_id, "85", faulty=True))
    (hour,) = add_up(POWER, rows, [0, HOUR])
    assert hour.integral == 40 * 60 * 20 + 20 * 60 * 21


def test_a_register_starts_again_below_nine_tenths():
    rows = told((1, "10"), (2, "12.5"), (3, "0.5"), (4, "0.46"), (61, "2"), entity=METER)
    first, second = add_up(METER, rows, [0, HOUR, 2 * HOUR])
    # +2.5, then a new cycle at 0.5, then a fall by a twelfth that is no new cycle.
    assert first.increase == pytest.approx(2.5 + 0.5 - 0.04)
    assert second.increase == pytest.approx(1.54)


def test_seconds_are_counted_by_state():
    (hour,) = add_up(LAMP, told((10, "on"), (25, "off"), entity=LAMP), [0, HOUR])
    assert hour.seconds == {"on": 900, "off": 2100}
    assert hour.covered == 3000


def test_what_is_no_news():
    rows = told((0, "unknown"), (1, "a"), (2, "a"), (3, "unavailable"), (4, "unknown"), (5, "a"), (6, "b"))
    # a, the gap, a again, b
    assert news(rows) == 4
    assert news([*rows, *told((7, None), (8, "b"), (9, "c"))]) == 5
    assert news([*rows, *told((7, None), (8, "unavailable"), (9, "c"))]) == 5


def test_a_day_is_as_long_as_the_local_clock_makes_it():
    berlin = ZoneInfo("Europe/Berlin")
    start = micros(datetime(2026, 10, 25, tzinfo=berlin))
    hours, days = borders("Europe/Berlin", start, start + DAY)
    assert hours[0] == days[0] == start
    assert days[1] - days[0] == 25 * HOUR
    assert len([hour for hour in hours if days[0] <= hour < days[1]]) == 25


def test_hours_begin_where_the_local_clock_says():
    start = micros(datetime(2026, 10, 25, 6, 10, tzinfo=UTC))
    hours, _ = borders("Asia/Kolkata", start, start + HOUR)
    assert [datetime.fromtimestamp(hour / SECOND, UTC).strftime("%H:%M") for hour in hours] == [
        "05:30",
        "06:30",
        "07:30",
    ]


def hour(covered: float = 3600, integral: float = 3600.0, *, start: int = 0) -> Bucket:
    return Bucket(start, start + HOUR, covered=covered, parts=[integral])


@pytest.mark.parametrize(
    ("stored", "what"),
    [
        ([], "is not stored"),
        ([hour(), hour(start=HOUR)], "nothing happened there"),
        ([hour(covered=3599)], "3599.000 s known"),
        ([hour(integral=3601)], "the mean is"),
        ([Bucket(0, HOUR - 1, covered=3600, parts=[3600.0])], "s known of"),
    ],
)
def test_a_comparison_finds_what_is_wrong(stored: list[Bucket], what: str):
    comparison = Comparison()
    comparison.add(POWER, [hour()], stored)
    assert what in comparison.summary
    assert len(comparison.wrong) == 1


def test_a_comparison_takes_an_error_below_a_hundredth_of_a_percent():
    comparison = Comparison()
    comparison.add(POWER, [hour(), hour(0, 0.0, start=HOUR)], [hour(integral=3600.3)])
    assert not comparison.wrong
    assert comparison.worst == pytest.approx(0.3 / 3600)
    assert (comparison.compared, comparison.uncovered) == (1, 1)


def export(path: Path, *rows: str, mark: str = "") -> Path:
    path.write_text(mark + "\n".join(("entity_id,state,last_changed", *rows)) + "\n", encoding="utf-8")
    return path


def test_exports_are_joined_in_time_order(tmp_path: Path):
    first = export(
        tmp_path / "1.csv",
        "sensor.power,100,2024-10-01T05:00:00.000Z",
        "sensor.power,unavailable,2024-10-01T06:00:00.000Z",
        "sensor.power,300,2024-10-01T07:00:00.250Z",
        mark="\ufeff",
    )
    second = export(
        tmp_path / "2.csv",
        "sensor.power,300,2024-10-01T07:00:00.250Z",
        "binary_sensor.door,off,2024-10-01T05:30:00+00:00",
        "sensor.power,400,2024-10-01T02:30:00.000-05:00",
    )
    home = history([second, first], "W", "America/Chicago")
    assert [(change.state, change.time % DAY / HOUR) for change in home.changes] == [
        ("100", 5),
        ("off", 5.5),
        ("unavailable", 6),
        ("300", 7 + 0.25 / 3600),
        ("400", 7.5),
    ]
    assert Counter(entity.nature for entity in home.entities.values()) == {Nature.LEVEL: 1, Nature.SWITCH: 1}
    assert home.entities["sensor.power"].attributes["device_class"] == "power"
    assert home.downtimes[0].stop == home.changes[-1].time + 1
    assert home.notes == ("6 rows read, 1 of them twice",)


@pytest.mark.parametrize(
    ("rows", "timezone", "what"),
    [
        (["sensor.power,1,yesterday"], "UTC", "line 2: 'yesterday' is not a time"),
        (["power,1,2024-10-01T05:00:00Z"], "UTC", "line 2: 'power' is not an entity id"),
        (["sensor.power,1,2024-10-01T05:00:00Z"], "UTC", "no stretch of time"),
        (["sensor.power,1,2024-10-01T05:00:00Z"], "Mars/Olympus", "no time zone 'Mars/Olympus'"),
    ],
)
def test_an_export_that_cannot_be_used_says_why(tmp_path: Path, rows: list[str], timezone: str, what: str):
    with pytest.raises(HistoryError, match=what):
        history([export(tmp_path / "1.csv", *rows)], "W", timezone)


def test_a_file_that_is_no_export_says_so(tmp_path: Path):
    (tmp_path / "1.csv").write_text("time,watts\n1,2\n", encoding="utf-8")
    with pytest.raises(HistoryError, match="the columns entity_id, last_changed, state are missing"):
        history([tmp_path / "1.csv"], "W", "UTC")
    with pytest.raises(HistoryError, match="cannot be read"):
        history([tmp_path / "2.csv"], "W", "UTC")
