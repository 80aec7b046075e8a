"""Arrow arrays through their buffers say what pyarrow's own functions say."""

from pathlib import Path
import subprocess
import sys

from hypothesis import given, strategies as st
import numpy as np
import pyarrow as pa

from custom_components.strata.archive import arrow

ROOT = Path(__file__).parents[3]


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)), st.integers(0, 9))
def test_numbers(values: list[int | None], cut: int) -> None:
    missing = np.array([value is None for value in values], np.bool_)
    plain = np.array([value or 0 for value in values], np.int64)
    made = arrow.numbers(plain, pa.int64(), missing)
    made.validate(full=True)
    assert made.to_pylist() == values
    # Slices begin in the middle of buffers.
    part = made.slice(cut)
    assert arrow.missing_of(part).tolist() == missing[cut:].tolist()
    known = arrow.values_of(part, np.int64)
    assert [None if gone else value for gone, value in zip(missing[cut:], known.tolist(), strict=True)] == values[cut:]


@given(st.lists(st.none() | st.text()), st.integers(0, 9))
def test_texts(values: list[str | None], cut: int) -> None:
    made = arrow.texts(values)
    made.validate(full=True)
    assert made.equals(pa.array(values, pa.string()))
    assert arrow.missing_of(made.slice(cut)).tolist() == [value is None for value in values[cut:]]


@given(st.lists(st.booleans()))
def test_truth_values(values: list[bool]) -> None:
    made = arrow.flags(values)
    made.validate(full=True)
    assert made.to_pylist() == values


def test_an_array_of_nulls_has_no_values() -> None:
    nothing = pa.nulls(3, pa.float64())
    assert len(arrow.values_of(nothing, np.float64)) == 3
    assert arrow.missing_of(nothing).all()


WITHOUT_PANDAS = """
import sys, numpy as np
from pathlib import Path
from custom_components.strata.core.model import Kind
from custom_components.strata.archive.parquet import read, read_raw, write, write_raw
from tests.unit.archive.given import month, series
folder = Path(sys.argv[1])
write(folder / "days.parquet", month(1))
rows = (np.arange(3), np.array([1.0, np.nan, 2.0]), [None, "off", None], np.zeros(3, np.int64))
write_raw(folder / "raw.parquet", [(series("power", Kind.MEASUREMENT), rows)])
assert len(list(read(folder / "days.parquet"))) > 0 and len(list(read_raw(folder / "raw.parquet"))) > 0
print("pandas" in sys.modules)
"""


def test_files_are_written_and_read_without_pandas(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_PANDAS, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout.strip()) == (0, "False"), ran.stderr[-2000:]
