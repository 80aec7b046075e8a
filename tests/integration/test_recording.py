"""Which values are possible."""

from datetime import UTC, datetime, timedelta
import math
from typing import Any

import pytest

from custom_components.strata.core.model import Forecast, Slot
from custom_components.strata.recording import plausible
from custom_components.strata.sources.base import Reading, Role, StoredField

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)

ROLE = Role(
    key="air",
    measurement="air",
    tags=("place",),
    fields=(
        StoredField(name="humidity", unit="%", minimum=0, maximum=100),
        StoredField(name="pressure", unit="hPa", minimum=300),
        StoredField(name="category", kind="text"),
    ),
    metrics=(),
    main="humidity",
    interval=timedelta(hours=1),
    good_for=lambda reading: timedelta(hours=1),
    providers=(),
)


def reading(forecasts: dict[str, Forecast] | None = None, **fields: Any) -> Reading:
    return Reading(fields=fields, tags={}, observed_at=NOW, fetched_at=NOW, forecasts=forecasts or {})


@pytest.mark.parametrize(
    ("fields", "impossible"),
    [
        ({"humidity": 0.0, "pressure": 300.0, "category": "fair"}, {}),
        ({"humidity": 100.0, "pressure": 5000.0}, {}),
        ({"humidity": 100.1}, {"humidity": 100.1}),
        ({"humidity": -0.1, "pressure": 299.9}, {"humidity": -0.1, "pressure": 299.9}),
        ({"humidity": math.inf}, {"humidity": math.inf}),
        ({"humidity": None, "not_a_field_of_the_role": -1.0}, {}),
    ],
)
def test_limits_of_the_fields(fields: dict[str, Any], impossible: dict[str, float]) -> None:
    good, found = plausible(ROLE, reading(**fields))
    assert found == impossible
    assert good.fields == {name: None if name in impossible else value for name, value in fields.items()}


def test_no_number_is_impossible() -> None:
    good, found = plausible(ROLE, reading(humidity=math.nan))
    assert list(found) == ["humidity"]
    assert good.fields["humidity"] is None


def test_slots_obey_the_limits_of_their_field() -> None:
    def forecast(*values: float) -> Forecast:
        hours = [NOW + timedelta(hours=hour) for hour in range(len(values) + 1)]
        slots = zip(hours, hours[1:], values, strict=False)
        return Forecast("%", NOW, tuple(Slot(start, end, value) for start, end, value in slots))

    good, found = plausible(ROLE, reading({"humidity": forecast(50, 120, 60), "wind": forecast(500, math.nan)}))
    assert found == {}
    assert [slot.value for slot in good.forecasts["humidity"].slots] == [50, 60]
    assert [slot.value for slot in good.forecasts["wind"].slots] == [500]
