"""A series with a new text every half minute: buckets stay small, say every second, and go anywhere and back."""

from pathlib import Path

import pytest

from custom_components.strata.core.model import Kind, Micros, Row, Series, SeriesKey, TimeRange, from_micros
from custom_components.strata.core.state_time import MOST_STATES, OTHERS, OTHERS_NAME
from custom_components.strata.store.answers import answers
from custom_components.strata.store.look_back import look_back
from custom_components.strata.store.reader import StoreReader
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import DAILY, DAY, HOUR, HOURLY, RAW
from custom_components.strata.store.words import answers_in_words, codes_in, in_words

START: Micros = 1_767_225_600_000_000
"""2026-01-01 00:00 UTC."""
EVER = TimeRange(0, 2**61)
STEP = 30_000_000
KEY = SeriesKey.of_entity("home_assistant_events", "last_seen")


class Home:
    """A store whose clock stands where the test wants it."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.store = SqliteStore(folder / "strata.db", timezone="UTC", now=lambda: self.now)
        self.store.open()
        self.seen = self.store.series(KEY, kind=Kind.TEXT)

    def live(self, days: int) -> None:
        for _ in range(days):
            rows = [
                Row(self.seen, at, None, from_micros(at).isoformat()) for at in range(self.now, self.now + DAY, STEP)
            ]
            self.store.write(rows, heartbeat=self.now + DAY)
            self.now += DAY
            self.store.roll_up(self.now)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.live(2)
    return home


def of(reader: StoreReader, series: Series, tier: str) -> list[dict[str, float]]:
    rolled = reader.tier(tier, series.id or 0, Kind.TEXT, EVER)
    return [told["state_seconds"] for told in answers(rolled, tier, None, reader.texts)]  # type: ignore[misc]


@pytest.mark.parametrize(("tier", "count", "seconds"), [(HOURLY, 48, 3600.0), (DAILY, 2, 86400.0)])
def test_buckets_name_some_states_and_tell_every_second(home: Home, tier: str, count: int, seconds: float) -> None:
    with home.store.reader() as reader:
        told = of(reader, home.seen, tier)
        rolled = reader.tier(tier, home.seen.id or 0, Kind.TEXT, EVER)
    assert len(told) == count
    assert {sum(each.values()) for each in told} == {seconds}
    assert {len(each) for each in told} == {MOST_STATES + 1}
    assert {each[OTHERS_NAME] for each in told} == {seconds - MOST_STATES * 30}
    assert set(rolled.columns["n"].tolist()) == {seconds / 30}


def test_days_follow_from_hours_and_the_ladder_finds_them_proven(home: Home) -> None:
    home.now += 200 * DAY
    home.store.roll_up(home.now)
    for tier in (RAW, HOURLY):
        assert home.store.downsample(tier, home.now).problems == ()
    with home.store.reader() as reader:
        assert len(reader.tier(HOURLY, home.seen.id or 0, Kind.TEXT, TimeRange(0, START + 2 * DAY))) == 0
        told = of(reader, home.seen, DAILY)
    assert [sum(each.values()) for each in told[:2]] == [86400.0, 86400.0]


def test_what_is_told_in_words_comes_back_as_it_was(home: Home, tmp_path: Path) -> None:
    with home.store.reader() as reader:
        days = reader.tier(DAILY, home.seen.id or 0, Kind.TEXT, EVER)
        words = reader.texts(codes_in(days))
        told = of(reader, home.seen, DAILY)
    said = in_words(days, words)
    assert OTHERS_NAME in said.names
    assert [each["state_seconds"] for each in answers_in_words(said, DAILY, None)] == told
    (tmp_path / "other").mkdir()
    other = Home(tmp_path / "other")
    other.store.save_series()
    assert other.store.put_buckets(DAILY, [(other.seen, said)]) == 2
    with other.store.reader() as reader:
        back = reader.tier(DAILY, other.seen.id or 0, Kind.TEXT, EVER)
        assert of(reader, other.seen, DAILY) == told
    # The others stay what no text of a home is, or a month of such days would name them beside the others.
    assert OTHERS in back.states.code.tolist()


def test_what_is_looked_back_on_has_the_others_too(home: Home) -> None:
    with home.store.reader() as reader:
        past = look_back(reader, home.seen, from_micros(START), from_micros(START + HOUR), HOURLY)
    (stretch,) = past.stretches
    assert stretch.seconds[OTHERS_NAME] == 3600.0 - 30 * MOST_STATES
    assert sum(stretch.seconds.values()) == stretch.known == 3600.0


def test_a_state_of_that_name_is_told_by_single_values_and_is_one_of_the_others(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.store.write([Row(home.seen, START, None, OTHERS_NAME), Row(home.seen, START + HOUR // 4, None, "on")])
    with home.store.reader() as reader:
        newest = reader.last()[home.seen.id or 0]
        assert newest.text == "on"
    home.now += 2 * HOUR
    home.store.roll_up(home.now)
    with home.store.reader() as reader:
        rows = reader.raw(home.seen.id or 0, EVER)
        assert [reader.texts({code})[code] for code in rows.texts.tolist()] == [OTHERS_NAME, "on"]
        rolled = reader.tier(HOURLY, home.seen.id or 0, Kind.TEXT, EVER)
        (first, _) = answers(rolled, HOURLY, None, reader.texts)
    assert first["state_seconds"] == {OTHERS_NAME: 900.0, "on": 2700.0}
    assert (first["first_value"], first["last_value"]) == (OTHERS_NAME, "on")


def test_texts_get_numbers_that_are_none_of_the_reserved_ones(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert sorted(home.store.codes(["a", "b", OTHERS_NAME]).values()) == [OTHERS, 1, 2]
