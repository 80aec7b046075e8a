"""Carbon intensity: how much CO2 a kilowatt-hour from the grid stands for, now and in the next hours."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from ...core.model import Forecast
from ..base import (
    Json,
    Metric,
    MetricValue,
    Options,
    Provider,
    Role,
    Snapshot,
    StoredField,
    StoredForecast,
    provider_lacks,
)
from ..slots import slots_attribute
from .electricity_maps import ElectricityMaps
from .energi_data_service import EnergiDataService
from .energy_charts import EnergyCharts
from .entity import Entity
from .intensity import (
    AHEAD,
    CLEANEST,
    FOSSIL,
    INTENSITY,
    MARGINAL,
    MARGINAL_ONLY,
    MARGINAL_UNIT,
    PERCENT,
    PERCENTILE,
    RENEWABLE,
    UNIT,
    carbon_fields,
    cleanest,
)
from .neso import Neso
from .odre import Odre
from .watttime import WattTime

GOOD_FOR = timedelta(hours=2)
JUDGED_BY = timedelta(hours=6)
"""A dishwasher that waits for the night is planned as long before."""


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


def _gram_metrics(field: str, unit: str) -> tuple[Metric, ...]:
    """Return the metrics of an intensity now, in one hour and of the next day."""
    now = Metric(
        key=field,
        value=_value(field),
        unit=unit,
        state_class="measurement",
        precision=0,
        attributes=_slots(field, "intensity"),
        unrecorded=frozenset({"forecast"}),
    )
    ahead = (
        Metric(key=name, value=_value(name), unit=unit, state_class="measurement", precision=0) for name in AHEAD[field]
    )
    return (now, *ahead)


def _cleanest(snapshot: Snapshot) -> MetricValue:
    """Return when the running cleanest hour began, else when the next begins."""
    hours = cleanest(snapshot)
    return hours[0].start if hours else None


def _cleanest_hours(snapshot: Snapshot) -> Mapping[str, Json]:
    starts: list[Json] = [hour.start.isoformat() for hour in cleanest(snapshot)]
    return {"hours": starts}


def _lacks(provider: Provider, details: Options) -> frozenset[str]:
    """Return what a source lacks: a mean has nothing marginal beside it."""
    own = provider_lacks(provider, details)
    return own if provider.main() in MARGINAL_ONLY else own | MARGINAL_ONLY


def _gram_fields(field: str, unit: str) -> tuple[StoredField, ...]:
    # Lignite alone stands for about 1,100 g/kWh.
    return tuple(StoredField(name=name, unit=unit, minimum=0, maximum=2000) for name in (field, *AHEAD[field]))


def _stored_forecast(field: str) -> StoredForecast:
    return StoredForecast(forecast=field, measurement="carbon_intensity_forecast", field=field, judged_by=JUDGED_BY)


CARBON_INTENSITY = Role(
    key="carbon_intensity",
    measurement="carbon_intensity",
    tags=("region", "grid_operator"),
    # A forecast share of load passes 100 % when a country exports.
    fields=(
        *_gram_fields(INTENSITY, UNIT),
        StoredField(name=RENEWABLE, unit=PERCENT, minimum=0, maximum=300),
        StoredField(name=FOSSIL, unit=PERCENT, minimum=0, maximum=100),
        *_gram_fields(MARGINAL, MARGINAL_UNIT),
        StoredField(name=PERCENTILE, unit=PERCENT, minimum=0, maximum=100),
        StoredField(name=CLEANEST, kind="text"),
    ),
    metrics=(
        *_gram_metrics(INTENSITY, UNIT),
        _percentage(RENEWABLE, _slots(RENEWABLE, "percentage")),
        _percentage(FOSSIL),
        *_gram_metrics(MARGINAL, MARGINAL_UNIT),
        _percentage(PERCENTILE),
        Metric(key=CLEANEST, value=_cleanest, device_class="timestamp", attributes=_cleanest_hours),
    ),
    main=INTENSITY,
    interval=timedelta(minutes=15),
    good_for=lambda reading: GOOD_FOR,
    lacks=_lacks,
    providers=(Neso, EnergiDataService, Odre, EnergyCharts, Entity, ElectricityMaps, WattTime),
    forecasts=(
        _stored_forecast(INTENSITY),
        _stored_forecast(MARGINAL),
        _stored_forecast(RENEWABLE),
    ),
    fields_at=carbon_fields,
)
