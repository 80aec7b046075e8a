"""The journal of what was done to the history."""

from pathlib import Path

from custom_components.strata.core.model import Kind, Row, SeriesKey
from custom_components.strata.store.operations import Operation, last_successes
from custom_components.strata.store.sqlite import SqliteStore

DAY = 86_400_000_000
NOON = 1_772_366_400_000_000
"""2026-03-01 12:00 UTC."""


def test_operations_are_told_newest_first(tmp_path: Path) -> None:
    early = Operation("archive", NOON, 12.5, 4_000, 1_000)
    failed = Operation("archive", NOON + DAY, 1.0, 0, 0, ("the bucket is gone",))
    with SqliteStore(tmp_path / "strata.db", now=lambda: NOON) as store:
        store.record_operation(early)
        store.record_operation(failed)
        with store.reader() as reader:
            assert reader.operations() == [failed, early]
            assert reader.operations(NOON + 1) == [failed]
            assert last_successes(reader.connection) == {"archive": NOON + 12_500_000}


def test_the_journal_forgets_after_400_days(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "strata.db", now=lambda: NOON) as store:
        for days in (0, 1, 401):
            store.record_operation(Operation("export", NOON + days * DAY))
        with store.reader() as reader:
            assert [operation.started for operation in reader.operations()] == [NOON + 401 * DAY, NOON + DAY]


def test_space_that_was_won_is_never_forgotten(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "strata.db", now=lambda: NOON) as store:
        for days, name, won in ((0, "archive", 700), (0, "erase", 50), (1, "archive", 0), (900, "archive", 30)):
            store.record_operation(Operation(name, NOON + days * DAY, bytes_freed=won))
        with store.reader() as reader:
            assert reader.sizes().freed_bytes == 730
            assert [operation.bytes_freed for operation in reader.operations()] == [30, 700]


def test_a_step_of_the_ladder_is_in_the_journal(tmp_path: Path) -> None:
    now = NOON + 30 * DAY
    with SqliteStore(tmp_path / "strata.db", now=lambda: now) as store:
        series = store.series(SeriesKey.of_entity("home_assistant_events", "kettle"), kind=Kind.MEASUREMENT)
        store.write(Row(series, NOON + hour * DAY // 24, float(hour)) for hour in range(48))
        store.roll_up(now)
        report = store.downsample("raw", now)
        with store.reader() as reader:
            [operation] = reader.operations()
    assert (operation.operation_type, operation.records_processed) == ("downsample_hourly", 48)
    assert operation.bytes_freed == report.bytes_freed > 0
    assert operation.errors == ()
