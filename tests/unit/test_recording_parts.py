"""Circuits and the like in the store: one series each, gaps where they are gone, nothing twice."""

from datetime import UTC, datetime, timedelta
import math

from custom_components.strata.core.model import Flag, Kind, Series, SeriesKey, to_micros
from custom_components.strata.last_good import reading_as_json, reading_from_json
from custom_components.strata.recording_parts import PartsRecorder
from custom_components.strata.sources.base import Part, Reading, Role, Snapshot, StoredField, StoredPart
from custom_components.strata.store.base import Last
from tests.source_world import BERLIN

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
ROLE = Role(
    key="meter",
    measurement="meter",
    tags=(),
    fields=(),
    parts=(
        StoredPart(
            measurement="circuit",
            fields=(
                StoredField(name="power_w", unit="W", minimum=0, fine=True),
                StoredField(name="mode", kind="text"),
            ),
        ),
    ),
    metrics=(),
    main="power_w",
    interval=timedelta(hours=1),
    good_for=lambda reading: timedelta(hours=1),
    providers=(),
)


class FakeWorker:
    """Keeps what it is given, as `StoreWorker` does."""

    def __init__(self) -> None:
        self.known: dict[SeriesKey, Series] = {}
        self.rows: list[tuple[str, int, object, object, Flag]] = []
        self.newest: dict[SeriesKey, Last] = {}
        self.last_stop: int | None = None
        self.started = to_micros(NOW)

    def series(self, key: SeriesKey, *, kind: Kind, unit: str | None, fine: bool) -> Series:
        return self.known.setdefault(key, Series(key, kind, unit, fine=fine))

    def find(self, key: SeriesKey) -> Series | None:
        return self.known.get(key)

    def last(self, series: Series) -> Last | None:
        return self.newest.get(series.key)

    def put(self, series: Series, time: int, value: object = None, text: object = None, flag: Flag = Flag.OK) -> None:
        minute = (time - to_micros(NOW)) // 60_000_000
        self.rows.append((series.key.tags["name"], minute, text if value is None else value, series.key.field, flag))


def circuit(name: str, at: datetime | None = None, **fields: float | str) -> Part:
    return Part(measurement="circuit", tags={"name": name}, fields=fields, at=at)


def snapshot(minutes: int, *parts: Part) -> Snapshot:
    moment = NOW + timedelta(minutes=minutes)
    reading = Reading(fields={}, tags={}, observed_at=moment, fetched_at=moment, parts=parts)
    return Snapshot(reading=reading, now=moment, provider="test", home=BERLIN)


def recorder(worker: FakeWorker) -> PartsRecorder:
    return PartsRecorder(worker, ROLE)  # type: ignore[arg-type]


def test_each_part_has_series_of_its_own() -> None:
    worker = FakeWorker()
    parts = recorder(worker)
    parts.put(snapshot(0, circuit("dryer", power_w=2000.0, mode="hot"), circuit("fridge", power_w=80)))
    parts.put(snapshot(5, circuit("dryer", power_w=2100.0, mode="hot")))
    parts.put(snapshot(5, circuit("dryer", power_w=2100.0, mode="hot")))
    assert worker.rows == [
        ("dryer", 0, 2000.0, "power_w", Flag.OK),
        ("dryer", 0, "hot", "mode", Flag.OK),
        ("fridge", 0, 80.0, "power_w", Flag.OK),
        ("dryer", 5, 2100.0, "power_w", Flag.OK),
        ("dryer", 5, "hot", "mode", Flag.OK),
        # The fridge is no longer named.
        ("fridge", 5, None, "power_w", Flag.GAP),
    ]
    assert all(series.fine == (series.key.field == "power_w") for series in worker.known.values())
    worker.rows.clear()
    parts.put_gap(NOW + timedelta(minutes=9))
    assert {(name, minute, flag) for name, minute, _, _, flag in worker.rows} == {("dryer", 9, Flag.GAP)}


def test_impossible_and_unknown_fields_are_left_out() -> None:
    worker = FakeWorker()
    other = Part(measurement="elsewhere", tags={"name": "x"}, fields={"power_w": 1.0})
    recorder(worker).put(
        snapshot(0, circuit("a", power_w=-1.0), circuit("b", power_w=math.nan), circuit("c", volts=1.0), other)
    )
    assert worker.rows == []


def test_a_part_may_be_for_an_instant_of_its_own() -> None:
    worker = FakeWorker()
    parts = recorder(worker)
    night = circuit("night", NOW - timedelta(hours=5), power_w=80.0)
    parts.put(snapshot(0, night))
    parts.put(snapshot(5, night))
    parts.put(snapshot(10))
    assert worker.rows == [
        ("night", -300, 80.0, "power_w", Flag.OK),
        ("night", 10, None, "power_w", Flag.GAP),
    ]


def test_what_held_over_a_restart_holds_again() -> None:
    worker = FakeWorker()
    worker.last_stop = to_micros(NOW - timedelta(minutes=2))
    worker.started = to_micros(NOW - timedelta(minutes=1))
    recorder(worker).put(snapshot(-5, circuit("fridge", power_w=80.0)))
    assert worker.rows[-1] == ("fridge", -1, None, "power_w", Flag.RESUME)


def test_what_was_a_gap_holds_again() -> None:
    worker = FakeWorker()
    key = SeriesKey.of_tags("circuit", {"name": "fridge"}, "power_w")
    worker.newest[key] = Last(to_micros(NOW), 80.0, None, Flag.GAP)
    recorder(worker).put(snapshot(-5, circuit("fridge", power_w=80.0)))
    assert worker.rows[0] == ("fridge", -5, 80.0, "power_w", Flag.OK)
    assert worker.rows[1][-1] is Flag.RESUME


def test_parts_survive_a_restart() -> None:
    reading = snapshot(0, circuit("a", power_w=1.5), circuit("b", NOW, mode="hot")).reading
    assert reading_from_json(reading_as_json(reading)).parts == reading.parts
    old = reading_as_json(reading)
    del old["parts"]
    assert reading_from_json(old).parts == ()
