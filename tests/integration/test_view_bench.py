"""A small seeded sample of the bench of views: the view and our best query over raw chunks say the same."""

from datetime import timedelta
from pathlib import Path
from time import process_time

import pytest

from custom_components.strata.core.clock import local_date
from custom_components.strata.core.model import TimeRange
from scripts.benchmarks.views import TIMEZONE, build_store, compare, from_raw, from_view


@pytest.mark.parametrize("seed", [1, 2])
def test_the_view_says_what_the_raw_rows_say_and_is_faster(tmp_path: Path, seed: int) -> None:
    # Six days from 21 October: clocks go back on the 25th.
    store, span = build_store(tmp_path / "views.db", per_day=4_000, days=6, seed=seed)
    first, last = local_date(TIMEZONE, span.start), local_date(TIMEZONE, span.end) + timedelta(days=1)
    with store.reader() as reader:
        began = process_time()
        raw = from_raw(reader, span)
        between = process_time()
        view = from_view(reader, first, last)
        ended = process_time()
        compare(view, raw)
        assert len(view) > 300
        assert (between - began) > 5 * (ended - between)
        wrong = {name: kwh + 1.0 for name, kwh in view.items()}
        with pytest.raises(AssertionError):
            compare(wrong, raw)
        assert from_raw(reader, TimeRange(0, 1)) != raw
    store.close()
