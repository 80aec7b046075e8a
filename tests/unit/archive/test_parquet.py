"""Archived files: exact, flat, described, proven before they are visible, and refused when they are not whole."""

from datetime import UTC, datetime
import json
from pathlib import Path

import duckdb
from hypothesis import HealthCheck, given, seed, settings, strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from custom_components.strata.archive import parquet
from custom_components.strata.archive.columns import METADATA_KEY, columns_of
from custom_components.strata.archive.errors import ArchiveError, FileDamaged, FileTooNew
from custom_components.strata.archive.parquet import describe, read, read_raw, same_buckets, sha256_of, write, write_raw
from custom_components.strata.core.model import Kind, TimeRange
from custom_components.strata.core.rollup import rollup
from custom_components.strata.store.buckets import with_offsets
from tests.unit.archive.given import hours_and_days, instant, month, series

DAY = 86_400_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "2026" / "data_2026-10-01.parquet"


@pytest.mark.parametrize("compression", parquet.COMPRESSIONS)
def test_what_is_read_is_what_was_written(path: Path, compression: str) -> None:
    parts = month(1)
    written = write(path, parts, timezone="Europe/Berlin", compression=compression)
    found = {one.key: (one, rolled) for one, rolled in read(path)}
    assert len(found) == len(parts)
    for one, rolled in parts:
        there, back = found[one.key]
        assert (there.unit, there.labels, there.fine, there.monotonic) == (
            one.unit,
            one.labels,
            one.fine,
            one.monotonic,
        )
        assert same_buckets(rolled, back)
    assert written.rows == pq.read_metadata(path).num_rows == describe(path).rows
    assert written.sha256 == sha256_of(path)
    assert written.bytes == path.stat().st_size
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_hand_made_day_says_what_happened(path: Path) -> None:
    """On 2026-10-25 Berlin's day has 25 hours: 12 h at 100 W, then 13 h at 200 W."""
    start = instant("Europe/Berlin", 2026, 10, 25)
    noon, end = start + 12 * DAY // 24, start + 25 * DAY // 24
    _, power = hours_and_days(Kind.MEASUREMENT, [start, noon], [100.0, 200.0], "Europe/Berlin", start, end)
    _, mode = hours_and_days(Kind.TEXT, [start, noon], ["off", "heat"], "Europe/Berlin", start, end)
    write(path, [(series("power", Kind.MEASUREMENT), power), (series("mode", Kind.TEXT), mode)])
    rows = duckdb.sql(
        'SELECT entity_id, date, epoch_us(start), epoch_us("end"), offset_seconds, total_samples, covered_seconds,'
        f" avg_value, daily_energy, state, state_seconds FROM '{path}' ORDER BY entity_id, state NULLS FIRST"
    ).fetchall()
    date = datetime(2026, 10, 25, tzinfo=UTC).date()
    when = (date, start, end, 7200)
    assert rows == [
        ("sensor.mode", *when, 2, 90_000.0, None, None, None, None),
        ("sensor.mode", *when, None, None, None, None, "heat", 46_800.0),
        ("sensor.mode", *when, None, None, None, None, "off", 43_200.0),
        ("sensor.power", *when, 2, 90_000.0, 152.0, pytest.approx(3.8), None, None),
    ]


def test_the_file_is_flat_typed_sorted_and_described(path: Path) -> None:
    write(path, month(2), timezone="Europe/Berlin")
    schema = pq.read_schema(path)
    assert schema.names == list(columns_of("daily"))
    assert not [field.name for field in schema if pa.types.is_nested(field.type) or pa.types.is_dictionary(field.type)]
    assert schema.field("start").type == pa.timestamp("us", tz="UTC")
    assert schema.field("date").type == pa.date32()
    said = json.loads(schema.metadata[METADATA_KEY])
    assert (said["schema"], said["tier"], said["timezone"]) == (1, "daily", "Europe/Berlin")
    assert said["units"]["daily_energy"] == "kWh"
    assert said["units"]["covered_seconds"] == "s"
    assert {"gzip"} == {
        pq.ParquetFile(path).metadata.row_group(0).column(at).compression.lower() for at in range(len(schema.names))
    }
    table = pq.read_table(path)
    keys = [
        tuple(row.values()) for row in table.select(["measurement", "identity", "field", "kind", "start"]).to_pylist()
    ]
    assert keys == sorted(keys)


def test_hours_are_called_as_answers_call_them(path: Path) -> None:
    parts = month(2)
    write(path, parts, tier="hourly")
    assert {"sample_count", "total_energy"} <= {*pq.read_schema(path).names}
    assert all(same_buckets(rolled, {a.key: b for a, b in read(path)}[one.key]) for one, rolled in parts)


def test_a_data_set_of_months_is_one_table(tmp_path: Path) -> None:
    for at, moment in enumerate(((2026, 9, 1), (2026, 10, 1))):
        write(tmp_path / "2026" / f"data_{moment[1]}.parquet", month(at, moment=moment, days=30))
    data = pyarrow.dataset.dataset(tmp_path, format="parquet")
    months = {date.month for date in data.to_table(columns=["date"])["date"].to_pylist()}
    assert months == {9, 10}


def test_only_what_is_asked_for_is_read(path: Path) -> None:
    parts = month(3)
    write(path, parts)
    begin = instant("Europe/Berlin", 2026, 10, 10)
    when = TimeRange(begin, begin + 2 * DAY)
    [(one, rolled)] = read(path, when=when, wanted=lambda series: series.labels["entity_id"] == "sensor.mode")
    assert one.labels["entity_id"] == "sensor.mode"
    assert ((rolled.starts >= when.start) & (rolled.starts < when.end)).all()
    assert len(rolled) == 2
    whole = {each.key: part for each, part in parts}[one.key]
    inside = (whole.starts >= when.start) & (whole.starts < when.end)
    assert same_buckets(rolled, whole.select(inside))


def test_a_file_of_many_row_groups(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_ROWS_AT_ONCE", 50)
    parts = month(4)
    write(path, parts)
    assert pq.read_metadata(path).num_row_groups > 1
    assert all(same_buckets(rolled, {a.key: b for a, b in read(path)}[one.key]) for one, rolled in parts)


def test_numbers_that_are_hard_to_keep(path: Path) -> None:
    hard = [0.1 + 0.2, -0.0, 5e-324, 1e200, float("inf"), float("-inf"), 2.0**60 + 1]
    edges = [at * DAY for at in range(len(hard) + 1)]
    rolled = with_offsets(rollup(edges[:-1], hard, edges, kind="measurement"), "UTC")
    write(path, [(series("power", Kind.MEASUREMENT), rolled)])
    [(_, back)] = read(path)
    for name, column in rolled.columns.items():
        assert column.tobytes() == back.columns[name].tobytes() or np.array_equal(
            column, back.columns[name], equal_nan=True
        ), name
    assert np.signbit(back.columns["last"][1])


def test_single_rows_are_kept_exactly(path: Path) -> None:
    times = np.array([5, 7, 9_999_999_999_999_999], np.int64)
    rows = (times, np.array([1.5, np.nan, np.nan]), [None, "heat", None], np.array([0, 0, 1]))
    written = write_raw(path, [(series("mode", Kind.TEXT), rows)])
    assert written.rows == 3
    [(one, back)] = read_raw(path)
    assert one.labels["entity_id"] == "sensor.mode"
    assert [back[0].tolist(), back[2], back[3].tolist()] == [times.tolist(), rows[2], [0, 0, 1]]
    assert np.array_equal(back[1], rows[1], equal_nan=True)
    [(_, some)] = read_raw(path, when=TimeRange(6, 8))
    assert some[0].tolist() == [7]


# What can go wrong


def test_a_file_that_reads_back_differently_is_never_seen(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "rollup_of", lambda kind, table: month(6)[0][1])
    with pytest.raises(FileDamaged):
        write(path, month(5))
    assert [*path.parent.iterdir()] == []


def test_a_folder_that_takes_no_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ArchiveError):
        write(tmp_path / "taken" / "data.parquet", month(5))


def test_an_unknown_compression_is_a_mistake_of_ours(path: Path) -> None:
    with pytest.raises(ValueError, match="brotli"):
        write(path, month(5), compression="brotli")


@pytest.mark.parametrize("cut", [0, 3, 100, -1, -200])
def test_a_truncated_file_is_damaged(path: Path, cut: int) -> None:
    write(path, month(5))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(FileDamaged):
        list(read(path))


def test_a_file_that_is_not_there(path: Path) -> None:
    with pytest.raises(ArchiveError):
        list(read(path))


def test_a_file_of_someone_else_is_not_ours(path: Path) -> None:
    path.parent.mkdir()
    pq.write_table(pa.table({"value": [1.0]}), path)
    with pytest.raises(FileDamaged):
        describe(path)


def test_a_file_of_a_newer_strata(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "SCHEMA_VERSION", 2)
    write(path, month(5))
    monkeypatch.setattr(parquet, "SCHEMA_VERSION", 1)
    with pytest.raises(FileTooNew):
        list(read(path))


# Whatever a series does


def _values(kind: Kind) -> st.SearchStrategy[object]:
    gap = st.just(None) if kind is Kind.TEXT else st.just(float("nan"))
    return st.one_of(
        gap,
        {
            Kind.MEASUREMENT: st.floats(-1e6, 1e6),
            Kind.METER: st.floats(0, 1e6),
            Kind.ON_OFF: st.sampled_from((0.0, 1.0)),
            Kind.TEXT: st.sampled_from(("heat", "cool", "off", "", "ß"))
            | st.text(max_size=5).filter(lambda text: text.isprintable()),
        }[kind],
    )


@st.composite
def lives(draw: st.DrawFn):
    """Draw a kind, a zone with a change of its clock in reach, and rows over a few days."""
    kind = draw(st.sampled_from(list(Kind)))
    timezone, moment = draw(
        st.sampled_from(
            [
                ("Europe/Berlin", (2026, 10, 23)),
                ("Europe/Berlin", (2026, 3, 27)),
                ("Asia/Kolkata", (2026, 5, 30)),
                ("Australia/Lord_Howe", (2026, 10, 2)),
                ("America/St_Johns", (2026, 11, 1)),
            ]
        )
    )
    start = instant(timezone, *moment)
    times = draw(st.lists(st.integers(0, 4 * DAY), unique=True, max_size=40).map(sorted))
    values = draw(st.lists(_values(kind), min_size=len(times), max_size=len(times)))
    return kind, timezone, start, [start + time for time in times], values


@seed(20261124)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=lives())
def test_hour_day_archive_restore_keeps_everything(tmp_path: Path, life) -> None:
    kind, timezone, start, times, values = life
    hours, days = hours_and_days(kind, times, values, timezone, start, start + 6 * DAY)
    if not len(days):
        return
    path = tmp_path / "life.parquet"
    write(path, [(series("it", kind), days)], timezone=timezone)
    [(_, back)] = read(path)
    assert same_buckets(days, back)
    for name in ("n", "covered", "resets", "on", "transitions"):
        if name in hours.columns:
            assert back.columns[name].sum() == hours.columns[name].sum(), name
    if kind is Kind.MEASUREMENT:
        known = [value for value in values if not np.isnan(value)]
        assert back.columns["n"].sum() == len(known)
        held = [c for c in (hours.columns["max"], hours.columns["min"]) if not np.isnan(c).all()]
        if held:
            assert np.nanmax(back.columns["max"]) == np.nanmax(hours.columns["max"])
            assert np.nanmin(back.columns["min"]) == np.nanmin(hours.columns["min"])
    if kind is Kind.TEXT:
        told: dict[object, float] = {}
        for bucket in range(len(back)):
            for word, seconds in back.seconds(bucket).items():
                told[word] = told.get(word, 0.0) + seconds
        assert sum(told.values()) == pytest.approx(hours.covered_seconds.sum())
