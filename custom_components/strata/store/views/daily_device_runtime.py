"""How long each device was on, each day."""

from collections.abc import Iterator

from ...core.model import MICROS_PER_SECOND, Kind
from .base import DATE, FIVE_YEARS, SERIES, Column, Shape, View, ViewRow
from .facts import Facts


def _rows(facts: Facts) -> Iterator[ViewRow]:
    for series, rollup in facts.day.of_kind(Kind.ON_OFF):
        yield (
            facts.day.date,
            series.id,
            int(rollup.columns["transitions"].sum()),
            float(rollup.columns["on"].sum()) / MICROS_PER_SECOND,
            float(rollup.columns["covered"].sum()) / MICROS_PER_SECOND,
        )


DAILY_DEVICE_RUNTIME = View(
    name="daily_device_runtime",
    number=107,
    columns=(
        DATE,
        SERIES,
        Column("state_changes", Shape.WHOLE),
        Column("on_seconds", unit="s"),
        Column("covered_seconds", unit="s"),
    ),
    keep_days=FIVE_YEARS,
    rows=_rows,
)
