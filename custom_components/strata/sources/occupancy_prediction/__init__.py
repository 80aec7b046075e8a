"""Occupancy: whether somebody is at home, and when they will be."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from ..base import Json, Metric, MetricValue, Role, Snapshot, StoredField, StoredForecast
from ..slots import slots_attribute
from .calendar import Calendars
from .google_calendar import GoogleCalendar
from .household import Household
from .people import ARRIVAL, AT_HOME, AWAY_HOURS, CONFIDENCE, DEPARTURE, PERCENT, PREPARE, PROBABILITY, WFH

GOOD_FOR = timedelta(hours=2)


def _value(field: str, factor: float = 1.0) -> Callable[[Snapshot], MetricValue]:
    def value(snapshot: Snapshot) -> MetricValue:
        found = snapshot.reading.fields.get(field)
        return found * factor if isinstance(found, int | float) and not isinstance(found, bool) else found

    return value


def _time(field: str) -> Metric:
    def value(snapshot: Snapshot) -> MetricValue:
        found = snapshot.reading.fields.get(field)
        return datetime.fromisoformat(found) if isinstance(found, str) else None

    return Metric(key=field, value=value, device_class="timestamp")


def _forecast(snapshot: Snapshot) -> Mapping[str, Json]:
    return slots_attribute(snapshot.reading.forecasts.get(PROBABILITY), snapshot.now, "probability")


OCCUPANCY_PREDICTION = Role(
    key="occupancy_prediction",
    measurement="occupancy_prediction",
    tags=("source", "person"),
    fields=(
        StoredField(name=PROBABILITY, unit=PERCENT, minimum=0, maximum=100),
        StoredField(name=AT_HOME, kind="on_off"),
        StoredField(name=WFH, kind="on_off"),
        StoredField(name=ARRIVAL, kind="text"),
        StoredField(name=PREPARE, kind="text"),
        StoredField(name=DEPARTURE, kind="text"),
        StoredField(name=AWAY_HOURS, unit="h", minimum=0, maximum=24),
        # A share of one, as the field is known; its sensor shows it in percent.
        StoredField(name=CONFIDENCE, unit="1", minimum=0, maximum=1),
    ),
    metrics=(
        Metric(
            key=PROBABILITY,
            value=_value(PROBABILITY),
            unit=PERCENT,
            state_class="measurement",
            precision=0,
            attributes=_forecast,
            unrecorded=frozenset({"forecast", "reasons", "away"}),
        ),
        Metric(key=AT_HOME, value=_value(AT_HOME), binary=True, device_class="presence"),
        Metric(key=WFH, value=_value(WFH), binary=True),
        _time(ARRIVAL),
        _time(PREPARE),
        _time(DEPARTURE),
        Metric(
            key=AWAY_HOURS,
            value=_value(AWAY_HOURS),
            unit="h",
            device_class="duration",
            state_class="measurement",
            precision=1,
        ),
        Metric(key=CONFIDENCE, value=_value(CONFIDENCE, 100), unit=PERCENT, state_class="measurement", precision=0),
    ),
    main=PROBABILITY,
    interval=timedelta(minutes=15),
    good_for=lambda reading: GOOD_FOR,
    providers=(Calendars, Household, GoogleCalendar),
    forecasts=(StoredForecast(forecast=PROBABILITY, measurement="occupancy_prediction_forecast", field=PROBABILITY),),
)
