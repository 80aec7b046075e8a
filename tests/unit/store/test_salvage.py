"""One row that cannot be stored costs that row and nothing else."""

from pathlib import Path

import pytest

from custom_components.strata.core.model import Kind, Row, Series, SeriesKey, TimeRange
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.worker import StoreWorker

NOON = 1_772_366_400_000_000
ALL = TimeRange(0, 2**61)
LONE = "20 \udcb0C"
"""What Python makes of a degree sign that a device sent in Latin-1."""
SAID = "20 ?C"


def worker_in(path: Path) -> StoreWorker:
    return StoreWorker(path / "strata.db", timezone="UTC", now=lambda: NOON)


def series(worker: StoreWorker, name: str, **more: str) -> Series:
    key = SeriesKey.of_entity("home_assistant_events", name)
    unit = more.pop("unit", None)
    return worker.series(key, kind=Kind.MEASUREMENT, unit=unit, labels={"entity_id": f"sensor.{name}", **more})


async def values(worker: StoreWorker, one: Series) -> list[float]:
    return (await worker.read(lambda reader: reader.raw(one.id or 0, ALL))).values.tolist()


@pytest.mark.parametrize("place", ["text", "unit", "label", "attribute"])
async def test_a_text_in_no_encoding_is_stored_as_it_can_be(tmp_path: Path, place: str) -> None:
    worker = worker_in(tmp_path)
    await worker.open()
    good = series(worker, "good")
    bad = series(
        worker, "bad", **({"unit": LONE} if place == "unit" else {"friendly_name": LONE} if place == "label" else {})
    )
    attributes = {"note": LONE} if place == "attribute" else {"note": "fine"}
    worker.put(good, NOON, 1.0)
    worker.put(bad, NOON, 2.0, LONE if place == "text" else None, attributes=attributes)
    worker.put(good, NOON + 1, 3.0)
    assert await worker.flush()
    await worker.compact()
    assert await values(worker, good) == [1.0, 3.0]
    assert await values(worker, bad) == [2.0]
    details = await worker.read(lambda reader: reader.details(bad.id or 0, ALL))
    assert details[0].attributes == {"note": SAID if place == "attribute" else "fine"}
    await worker.close()
    with SqliteStore(tmp_path / "strata.db") as store:
        [again] = [one for one in store.all_series() if one.key == bad.key]
        assert again.unit == (SAID if place == "unit" else None)
        assert again.labels.get("friendly_name") == (SAID if place == "label" else None)


async def test_the_rows_around_one_that_cannot_be_stored_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = worker_in(tmp_path)
    await worker.open()
    good, bad = series(worker, "good"), series(worker, "bad")
    write = SqliteStore.write

    def picky(self: SqliteStore, rows: list[Row], **more: object) -> int:
        rows = list(rows)
        if any(row.value == 13.0 for row in rows):
            raise OverflowError("no column takes this")
        return write(self, rows, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(SqliteStore, "write", picky)
    for number in range(20):
        worker.put(bad if number == 13 else good, NOON + number, float(number))
    assert await worker.flush()
    assert await values(worker, good) == [float(number) for number in range(20) if number != 13]
    assert (worker.counters.stored, worker.counters.dropped, worker.counters.waiting) == (19, 1, 0)
    assert "A row of sensor.bad cannot be stored and is left out: no column takes this" in caplog.text
    await worker.close()


async def test_where_nothing_can_be_stored_rows_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = worker_in(tmp_path)
    await worker.open()
    good = series(worker, "good")
    worker.put(good, NOON, 1.0)

    def broken(self: SqliteStore, rows: list[Row], **more: object) -> int:
        raise RuntimeError("out of order")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "write", broken)
        assert not await worker.flush()
    assert worker.counters.waiting == 1

    def full(self: SqliteStore, rows: list[Row], **more: object) -> int:
        if list(rows):
            raise OverflowError("too large") if len(list(rows)) > 1 else StoreError("no room")
        return 0

    worker.put(good, NOON + 1, 2.0)
    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "write", full)
        assert not await worker.flush()
    assert worker.counters.waiting == 2
    assert await worker.flush()
    assert await values(worker, good) == [1.0, 2.0]
    await worker.close()
