"""Numbers that carry a word, such as an air quality index its category: both survive whatever the store does."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from custom_components.strata.core.model import Kind, Row, SeriesKey, TimeRange, to_micros
from custom_components.strata.store.sqlite import SqliteStore

HOUR = 3_600_000_000
NOON = to_micros(datetime(2026, 3, 10, 12, tzinfo=UTC))
ALL = TimeRange(0, 2**61)
KEY = SeriesKey.of_tags("air_quality", {"location": "Here", "parameter": "overall"}, "aqi")


def numbers_and_words(store: SqliteStore, series: int) -> list[tuple[float, str | None]]:
    with store.reader() as reader:
        rows = reader.raw(series, ALL)
        words = reader.texts({code for code in rows.texts.tolist() if code})
        return [(value, words.get(code)) for value, code in zip(rows.values.tolist(), rows.texts.tolist(), strict=True)]


def test_number_and_word_survive_compaction_and_reopening(tmp_path: Path) -> None:
    written = [(40.0, "Good"), (60.0, "Moderate"), (45.0, "Good"), (50.0, None)]
    with SqliteStore(tmp_path / "strata.db", now=lambda: NOON + 5 * HOUR) as store:
        aqi = store.series(KEY, kind=Kind.MEASUREMENT, unit="AQI")
        store.write([Row(aqi, NOON + n * HOUR, value, word) for n, (value, word) in enumerate(written)])
        assert aqi.id is not None
        assert numbers_and_words(store, aqi.id) == written
        store.compact()
        assert numbers_and_words(store, aqi.id) == written
        store.roll_up()
        with store.reader() as reader:
            hours = reader.tier("hourly", aqi.id, Kind.MEASUREMENT, ALL)
            newest = reader.last()[aqi.id]
        # The word has no part in the means.
        assert hours.mean.tolist()[:4] == pytest.approx([40.0, 60.0, 45.0, 50.0])
        assert newest.value == 50.0
        number = aqi.id
    with SqliteStore(tmp_path / "strata.db", now=lambda: NOON + 5 * HOUR) as store:
        assert numbers_and_words(store, number) == written
