"""Carbon intensity: how much CO2 a kilowatt-hour from the grid stands for, now and in the next hours."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from ...core.model import Forecast
from ..base import Json, Metric, MetricValue, Role, Snapshot, StoredField, StoredForecast
from ..slots import slots_attribute
from .energy_charts import EnergyCharts
from .entity import Entity
from .intensity import FOSSIL, INTENSITY, NEXT_DAY, NEXT_HOUR, PERCENT, RENEWABLE, UNIT, carbon_fields
from .neso import Neso

GOOD_FOR = timedelta(hours=2)


def _value(field: str) -> Callable[[Snapshot], MetricValue]:
    return lambda snapshot: carbon_fields(snapshot).get(field)


def _slots(field: str, name: str) -> Callable[[Snapshot], Mapping[str, Json]]:
    def attributes(snapshot: Snapshot) -> Mapping[str, Json]:
        forecast: Forecast | None = snapshot.reading.forecasts.get(field)
        return {"estimated": snapshot.reading.estimated, **slots_attribute(forecast, snapshot.now, name)}

    return attributes


def _percentage(field: str, attributes: Callable[[Snapshot], Mapping[str, Json]] | None = None) -> Metric:
    return Metric(
        key=field,
        value=_value(field),
        unit=PERCENT,
        state_class="measurement",
        precision=1,
        attributes=attributes,
        unrecorded=frozenset({"forecast"}) if attributes else frozenset(),
    )


CARBON_INTENSITY = Role(
    key="carbon_intensity",
    measurement="carbon_intensity",
    tags=("region", "grid_operator"),
    # Lignite alone stands for about 1,100 g/kWh; a forecast share of load passes 100 % when a country exports.
    fields=(
        StoredField(name=INTENSITY, unit=UNIT, minimum=0, maximum=2000),
        StoredField(name=RENEWABLE, unit=PERCENT, minimum=0, maximum=300),
        StoredField(name=FOSSIL, unit=PERCENT, minimum=0, maximum=100),
        StoredField(name=NEXT_HOUR, unit=UNIT, minimum=0, maximum=2000),
        StoredField(name=NEXT_DAY, unit=UNIT, minimum=0, maximum=2000),
    ),
    metrics=(
        Metric(
            key=INTENSITY,
            value=_value(INTENSITY),
            unit=UNIT,
            state_class="measurement",
            precision=0,
            attributes=_slots(INTENSITY, "intensity"),
            unrecorded=frozenset({"forecast"}),
        ),
        _percentage(RENEWABLE, _slots(RENEWABLE, "percentage")),
        _percentage(FOSSIL),
        Metric(key=NEXT_HOUR, value=_value(NEXT_HOUR), unit=UNIT, state_class="measurement", precision=0),
        Metric(key=NEXT_DAY, value=_value(NEXT_DAY), unit=UNIT, state_class="measurement", precision=0),
    ),
    main=INTENSITY,
    interval=timedelta(minutes=15),
    good_for=lambda reading: GOOD_FOR,
    providers=(Neso, EnergyCharts, Entity),
    forecasts=(
        StoredForecast(forecast=INTENSITY, measurement="carbon_intensity_forecast", field=INTENSITY),
        StoredForecast(forecast=RENEWABLE, measurement="carbon_intensity_forecast", field=RENEWABLE),
    ),
    fields_at=carbon_fields,
)
