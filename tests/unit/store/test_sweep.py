"""What nothing refers to any more goes, what anything refers to stays, wherever a sweep is cut off or meets others."""

from collections.abc import Callable, Iterable
from pathlib import Path
import random

import pytest

from custom_components.strata.core.model import Cause, Kind, Micros, Row, Series, SeriesKey, TimeRange
from custom_components.strata.core.state_time import OTHERS, OTHERS_NAME
from custom_components.strata.store import sweep
from custom_components.strata.store.answers import answers
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.sweeping import SweepRun
from custom_components.strata.store.tiers import DAILY, DAY, FIVE_MINUTE, HOUR, HOURLY, RAW

START: Micros = 1_767_225_600_000_000
"""2026-01-01 00:00 UTC."""
EVER = TimeRange(0, 2**61)
TABLES = ("text", "attributes", "cause")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("_CHUNKS_AT_ONCE", 3), ("_ENTRIES_AT_ONCE", 4), ("_DELETED_AT_ONCE", 2)):
        monkeypatch.setattr(sweep, name, size)


class Home:
    """A store whose clock stands where the test wants it."""

    def __init__(self, folder: Path, now: Micros = START) -> None:
        self.now = now
        self.path = folder / "strata.db"
        self.open()

    def open(self) -> None:
        self.store = SqliteStore(self.path, timezone="UTC", now=lambda: self.now)
        self.store.open()

    def series(self, name: str, kind: Kind = Kind.TEXT, *, fine: bool = False) -> Series:
        return self.store.series(SeriesKey.of_entity("home_assistant_events", name), kind=kind, fine=fine)

    def say(self, series: Series, text: str, at: Micros | None = None, **beside: object) -> None:
        self.store.write([Row(series, self.now if at is None else at, None, text, **beside)])  # type: ignore[arg-type]

    def later(self, by: Micros) -> None:
        self.now += by
        self.store.write((), heartbeat=self.now)
        self.store.roll_up(self.now)

    def hand_down(self, *tiers: str) -> None:
        for tier in tiers or (RAW, FIVE_MINUTE, HOURLY):
            assert self.store.downsample(tier, self.now).problems == ()

    def known(self, table: str = "text", column: str = "value") -> set[str]:
        with self.store.reader() as reader:
            return {said for (said,) in reader.connection.execute(f"SELECT {column} FROM {table} WHERE id > 0")}

    def told(self, series: Series) -> tuple[list[str], list[object], list[object], str | None]:
        """Return what rows, hours, days and the newest value say, all in words."""
        with self.store.reader() as reader:
            rows = reader.raw(series.id or 0, EVER)
            said = [reader.texts({code})[code] for code in rows.texts.tolist()]
            hours, days = (
                [(each["start"], each["first_value"], each["last_value"], each["state_seconds"]) for each in found]
                for found in (
                    answers(reader.tier(tier, series.id or 0, Kind.TEXT, EVER), tier, None, reader.texts)
                    for tier in (HOURLY, DAILY)
                )
            )
            last = reader.last().get(series.id or 0)
            return said, list(hours), list(days), last.text if last else None


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def worked_off(home: Home, run: SweepRun, between: Callable[[], None] = lambda: None) -> None:
    try:
        with home.store.reader() as reader:
            while run.look(reader):
                between()
        while run.step():
            between()
    finally:
        run.end()


class TestTexts:
    def test_those_in_any_layer_stay_and_go_when_the_last_one_lets_go(self, home: Home) -> None:
        screen = home.series("screen", fine=True)
        for number in range(3):
            home.say(screen, f"once {number}", home.now + number * HOUR // 4)
        home.say(screen, "now", home.now + HOUR)
        every = {"once 0", "once 1", "once 2", "now"}
        assert home.store.sweep()["text"] == 0
        home.store.compact()
        assert home.store.sweep()["text"] == 0
        home.later(DAY)
        for _ in range(13):
            # Rows after 7 days, 5-minute buckets after 35, hours after 90: each layer holds the words by itself.
            home.later(10 * DAY)
            home.hand_down()
            home.store.sweep()
            assert home.known() == every
            said, _, days, last = home.told(screen)
            assert (said, last) == (["once 0", "once 1", "once 2", "now"] if home.now < START + 8 * DAY else [], "now")
            assert days[0][3] == {"once 0": 900.0, "once 1": 900.0, "once 2": 1800.0, "now": 82800.0}  # type: ignore[index]
        home.store.expire_days(home.now + 400 * DAY)
        assert home.told(screen)[2] == []
        assert home.store.sweep()["text"] == 3
        assert home.known() == {"now"}
        assert home.told(screen)[3] == "now"

    def test_more_than_a_bucket_names_go_with_their_rows(self, home: Home) -> None:
        screen = home.series("screen")
        for number in range(100):
            home.say(screen, f"once {number}", home.now + number * HOUR // 100)
        home.say(screen, "now", home.now + HOUR)
        home.later(9 * DAY)
        assert home.store.sweep()["text"] == 0
        home.hand_down()
        before = home.told(screen)
        deleted = home.store.sweep()["text"]
        # Twenty by name, and the one with which the hour ended.
        assert (deleted, len(home.known())) == (79, 22)
        assert home.told(screen) == before
        with home.store.reader() as reader:
            assert reader.texts({OTHERS}) == {OTHERS: OTHERS_NAME}
        # One that went comes again, while the process that gave it a number once still runs.
        assert "once 50" not in home.known()
        home.say(screen, "once 50")
        home.later(HOUR)
        assert home.told(screen)[0][-1] == "once 50"

    def test_no_number_is_given_twice(self, home: Home) -> None:
        screen = home.series("screen")
        numbers: list[int] = []
        for number in range(5):
            (code,) = home.store.codes([f"word {number}"]).values()
            numbers.append(code)
            assert home.store.sweep()["text"] == (number > 0)
        assert len(set(numbers)) == 5
        home.say(screen, "word 0")
        home.say(screen, "word 4", home.now + 1)
        assert home.told(screen)[0] == ["word 0", "word 4"]

    def test_text_of_numbers_and_switches_counts_too(self, home: Home) -> None:
        cover = home.series("cover", Kind.ON_OFF)
        home.store.write([Row(cover, home.now, 1.0, "opening"), Row(cover, home.now + 9, 1.0)])
        home.later(HOUR)
        assert home.store.sweep()["text"] == 0
        assert home.known() == {"opening"}


class TestDetails:
    def test_what_was_pruned_leaves_no_attributes_and_no_causes(self, home: Home) -> None:
        lamp = home.series("lamp")
        for number in range(6):
            at, cause = home.now + number, Cause(f"context {number}", "parent")
            home.store.write([Row(lamp, at, None, "on", attributes={"level": number}, cause=cause)])
        home.later(31 * DAY)
        home.store.write([Row(lamp, home.now, None, "on", attributes={"level": 9}, cause=Cause("new", "parent"))])
        home.store.compact()
        assert home.store.prune_details(home.now - 30 * DAY) == 5
        # The newest old ones were in force until the new ones came.
        assert home.known("attributes", "json") == {'{"level":5}', '{"level":9}'}
        assert home.known("cause", "context") == {"context 5", "new"}

    def test_what_comes_again_is_defined_again(self, home: Home) -> None:
        lamp = home.series("lamp")
        once, cause = {"level": 1}, Cause("context", "parent")
        home.store.write([Row(lamp, home.now, None, "on", attributes=once, cause=cause)])
        home.store.write([Row(lamp, home.now + 1, None, "on", attributes={"level": 2})])
        home.later(31 * DAY)
        home.store.prune_details(home.now - 30 * DAY)
        assert home.known("attributes", "json") == {'{"level":2}'}
        home.store.write([Row(lamp, home.now, None, "on", attributes=once, cause=cause)])
        with home.store.reader() as reader:
            (_, detail) = reader.details(lamp.id or 0, EVER)
        assert (detail.attributes, detail.context, detail.parent) == (once, "context", "parent")

    def test_texts_are_left_alone_while_only_details_are_swept(self, home: Home) -> None:
        home.store.codes(["a", "b"])
        assert home.store.sweep(texts=False) == {"attributes": 0, "cause": 0}
        assert home.known() == {"a", "b"}


def life(home: Home, dice: random.Random, days: int) -> list[Series]:
    """Live for some days, with words that come and go, and let the ladder run."""
    screens = [home.series(f"screen {number}", fine=number == 0) for number in range(3)]
    for _ in range(days):
        for screen in screens:
            count, stretch = dice.choice(((0, DAY), (3, DAY), (60, HOUR)))
            for _ in range(count):
                at = home.now + dice.randrange(stretch)
                word = f"word {dice.randrange(30)}" if dice.random() < 0.5 else f"only at {at}"
                home.store.write([Row(screen, at, None, word, attributes={"word": word}, cause=Cause(word, "parent"))])
        home.later(DAY)
    return screens


def everything(home: Home, screens: Iterable[Series]) -> list[object]:
    with home.store.reader() as reader:
        beside = [[(d.time, d.attributes, d.context) for d in reader.details(s.id or 0, EVER)] for s in screens]
    return [[home.told(screen) for screen in screens], beside]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_was_lived_a_sweep_changes_nothing_that_is_told(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    home = Home(tmp_path)
    screens = life(home, dice, 12)
    for _ in range(3):
        home.hand_down()
        home.store.prune_details(home.now - 5 * DAY)
        before = everything(home, screens)
        left = home.store.sweep()
        assert everything(home, screens) == before
        assert home.store.sweep() == dict.fromkeys(left, 0)
        # Whoever opens the file anew remembers nothing, and finds the same.
        home.store.close()
        home.open()
        screens = [home.store.find(screen.key) or screen for screen in screens]
        assert everything(home, screens) == before
        screens = life(home, dice, 4)


def test_cut_off_after_any_piece_nothing_is_lost(tmp_path: Path) -> None:
    def lived(folder: Path) -> tuple[Home, list[Series]]:
        folder.mkdir()
        home = Home(folder)
        screens = life(home, random.Random(7), 10)
        home.hand_down()
        pruning = home.store.begin_pruning(home.now - 3 * DAY)
        while home.store.prune_portion(pruning):
            pass
        return home, screens

    home, screens = lived(tmp_path / "whole")
    pieces, run = [0], home.store.begin_sweep(texts=True)
    worked_off(home, run, lambda: pieces.__setitem__(0, pieces[0] + 1))
    swept = run.deleted
    assert all(count > 15 for count in swept.values())
    for cut in random.Random(5).sample(range(pieces[0]), 8):
        home, screens = lived(tmp_path / str(cut))
        before = everything(home, screens)
        run, left = home.store.begin_sweep(texts=True), cut
        with home.store.reader() as reader:
            while left and run.look(reader):
                left -= 1
        while left and run.step():
            left -= 1
        # The process ends here: nothing is closed in order, nothing is remembered.
        home.store.abandon()
        home.open()
        screens = [home.store.find(screen.key) or screen for screen in screens]
        assert everything(home, screens) == before
        again = home.store.sweep()
        assert {table: run.deleted[table] + again[table] for table in TABLES} == swept
        assert everything(home, screens) == before
        home.store.close()


@pytest.mark.parametrize("seed", range(6))
def test_words_that_come_back_while_a_sweep_looks_are_there(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    home = Home(tmp_path)
    life(home, dice, 10)
    home.hand_down()
    guest = home.series("guest")
    said: list[str] = []
    words = sorted(home.known())

    def somebody_says() -> None:
        word = dice.choice(words)
        said.append(word)
        beside = {"attributes": {"word": word}, "cause": Cause(word, "parent")}
        home.say(guest, word, home.now + len(said), **beside)
        if dice.random() < 0.3:
            home.store.compact()

    for _ in range(2):
        worked_off(home, home.store.begin_sweep(texts=True), somebody_says)
        with home.store.reader() as reader:
            told = [(detail.attributes, detail.context) for detail in reader.details(guest.id or 0, EVER)]
        assert home.told(guest)[0] == said
        assert len(told) == len(said)
        assert all(content is None or content["word"] == word for (content, _), word in zip(told, said, strict=True))
        assert [context for _, context in told] == said


def test_an_erasure_and_a_sweep_at_once_leave_what_is_in_use(tmp_path: Path) -> None:
    home = Home(tmp_path)
    screens = life(home, random.Random(3), 10)
    home.hand_down()
    gone, *stay = screens
    before = everything(home, stay)
    erasure = home.store.begin_erase([gone])
    more = [True]

    def erase_some() -> None:
        more[0] = more[0] and erasure.step()

    worked_off(home, home.store.begin_sweep(texts=True), erase_some)
    while erasure.step():
        pass
    erasure.end()
    assert everything(home, stay) == before
    assert home.told(gone) == ([], [], [], None)
    assert home.store.sweep()["text"] <= 1


def test_a_file_that_was_replaced_meanwhile_is_left_alone(home: Home) -> None:
    home.store.codes(["a", "b", "c"])
    run = home.store.begin_sweep(texts=True)
    with home.store.reader() as reader:
        while run.look(reader):
            pass
    home.store.close()
    home.open()
    run._store = home.store
    with pytest.raises(StoreError, match="another file"):
        run.step()
    run.end()
    assert home.known() == {"a", "b", "c"}


def test_texts_are_due_once_a_week_and_after_a_clock_that_was_ahead(home: Home) -> None:
    def due() -> bool:
        run = home.store.begin_sweep()
        worked_off(home, run)
        return "text" in run.deleted

    assert due()
    assert not due()
    home.now += 6 * DAY
    assert not due()
    home.now += DAY
    assert due()
    home.now -= 30 * DAY
    assert due()
    assert not due()


def test_a_sweep_that_was_not_finished_is_due_again(home: Home) -> None:
    run = home.store.begin_sweep()
    with home.store.reader() as reader:
        assert run.look(reader)
    run.end()
    again = home.store.begin_sweep()
    worked_off(home, again)
    assert "text" in again.deleted


def test_what_is_deleted_is_overwritten_in_its_page(home: Home) -> None:
    home.store.codes([f"a secret word {number}" for number in range(50)])
    assert home.store.sweep()["text"] == 49
    home.store.checkpoint()
    content = home.path.read_bytes()
    assert b"a secret word 49" in content
    assert b"a secret word 7" not in content
