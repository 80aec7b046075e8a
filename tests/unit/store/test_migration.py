"""Files of every older version open, and hold what they held."""

import gzip
from pathlib import Path
import shutil

import pytest

from custom_components.strata.core.model import Kind, SeriesKey, TimeRange
from custom_components.strata.store import schema
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import DAILY, HOUR

FILES = sorted((Path(__file__).parents[2] / "fixtures" / "store").glob("v*.db.gz"))
START = 1_767_222_000_000_000
"""2026-01-01 00:00 in Berlin."""


@pytest.mark.parametrize("packed", FILES, ids=lambda path: path.name)
def test_an_old_file_becomes_a_new_one_and_keeps_its_history(packed: Path, tmp_path: Path) -> None:
    path = tmp_path / "strata.db"
    with gzip.open(packed) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)
    end = START + 72 * HOUR
    with SqliteStore(path, timezone="Europe/Berlin", now=lambda: end) as store:
        power = store.find(SeriesKey("home_assistant_events", "abc123", "value"))
        assert power is not None
        assert power.id is not None
        with store.reader() as reader:
            assert schema.version(reader.connection) == len(schema.STEPS)
            assert reader.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            raw = reader.raw(power.id, TimeRange(START, end))
            days = reader.tier(DAILY, power.id, Kind.MEASUREMENT, TimeRange(START, end))
    assert len(raw) == 72 * 4
    assert raw.values.sum() == sum(100 + hour + quarter for hour in range(72) for quarter in range(4))
    # Each value holds a quarter of an hour, so a day's mean is the mean of its rows.
    means = days.columns["integral"] / days.columns["covered"] * 1e6
    assert means.tolist()[:2] == pytest.approx([113.0, 137.0])


def test_there_is_a_file_of_every_older_version() -> None:
    assert [path.name for path in FILES] == [f"v{number}.db.gz" for number in range(1, len(schema.STEPS))]
