"""The action that finds the best time to run something."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType
import probatio

from .api.current import ROLE_KEYS
from .api.forecast import answer_forecast, find_forecast, forecast_of
from .api.plan import answer_plan
from .asking import moment
from .const import CONF_ROLE, DOMAIN
from .core.daily import daily_spans, next_span, parse_profile
from .core.model import Forecast
from .core.objective import NothingKnown, Wish, plans
from .core.outlook import Aim
from .core.window import Phase, Window, find_profile_windows, find_windows
from .refusal import hub_of, refusal
from .runtime import StrataConfigEntry
from .window_outlook import AIM_ROLES, async_outlook

ATTR_DURATION = "duration"
ATTR_PROFILE = "profile"
ATTR_POWER = "power"
ATTR_WEIGHTS = {Aim.PRICE: "price_weight", Aim.CARBON: "carbon_weight", Aim.SOLAR: "solar_weight"}
ATTR_SOURCES = "sources"
ATTR_SOURCE = "source"
ATTR_FORECAST = "forecast"
ATTR_COUNT = "count"
ATTR_CONTIGUOUS = "contiguous"
ATTR_SHORTEST_RUN = "shortest_run"
ATTR_HIGHEST = "highest"
ATTR_EARLIEST = "earliest"
ATTR_LATEST = "latest"
ATTR_NOT_BEFORE = "not_before"
ATTR_READY_BY = "ready_by"
ATTR_EXPORT_PRICE = "export_price"
ATTR_HOUSE_POWER = "house_power"

SERVICE_FIND_WINDOW = "find_window"
LONGEST_DURATION = timedelta(days=7)
MOST_WINDOWS = 50
DEFAULT_POWER = 1000.0

_weight = probatio.All(probatio.Coerce(float), probatio.Range(min=0, max=1000))
_load = probatio.All(probatio.Coerce(float), probatio.Range(min=0, max=1e6))
_power = probatio.All(probatio.Coerce(float), probatio.Range(min=0, min_included=False, max=1e6))


def _profile(text: object) -> tuple[Phase, ...]:
    try:
        return parse_profile(cv.string(text))
    except ValueError as error:
        raise probatio.Invalid(str(error)) from error


FIND_WINDOW_SCHEMA = probatio.All(
    probatio.Schema(
        {
            probatio.Exclusive(ATTR_DURATION, "load"): cv.positive_time_period,
            probatio.Exclusive(ATTR_PROFILE, "load"): _profile,
            probatio.Optional(ATTR_POWER, default=DEFAULT_POWER): _power,
            **{probatio.Optional(name): _weight for name in ATTR_WEIGHTS.values()},
            probatio.Optional(ATTR_SOURCES, default=list): probatio.All(cv.ensure_list, [cv.string]),
            probatio.Exclusive(CONF_ROLE, "one"): probatio.In(ROLE_KEYS),
            probatio.Exclusive(ATTR_SOURCE, "one"): cv.string,
            probatio.Optional(ATTR_FORECAST): cv.string,
            probatio.Optional(ATTR_COUNT, default=1): probatio.All(
                probatio.Coerce(int), probatio.Range(min=1, max=MOST_WINDOWS)
            ),
            probatio.Optional(ATTR_CONTIGUOUS, default=True): cv.boolean,
            probatio.Optional(ATTR_SHORTEST_RUN): cv.positive_time_period,
            probatio.Optional(ATTR_HIGHEST, default=False): cv.boolean,
            probatio.Optional(ATTR_EARLIEST): cv.datetime,
            probatio.Optional(ATTR_LATEST): cv.datetime,
            probatio.Optional(ATTR_NOT_BEFORE): cv.time,
            probatio.Optional(ATTR_READY_BY): cv.time,
            probatio.Optional(ATTR_EXPORT_PRICE, default=0.0): probatio.Coerce(float),
            probatio.Optional(ATTR_HOUSE_POWER, default=0.0): _load,
        }
    ),
    cv.has_at_least_one_key(ATTR_DURATION, ATTR_PROFILE),
)


@callback
def async_setup_window_services(hass: HomeAssistant) -> None:
    """Register the action of windows."""
    hass.services.async_register(
        DOMAIN, SERVICE_FIND_WINDOW, _async_find_window, FIND_WINDOW_SCHEMA, SupportsResponse.ONLY
    )


async def _async_find_window(call: ServiceCall) -> ServiceResponse:
    """Return the best times for a load, and why they are."""
    entry = hub_of(call.hass)
    profile: tuple[Phase, ...] = call.data.get(ATTR_PROFILE) or (
        Phase(call.data[ATTR_DURATION], call.data[ATTR_POWER]),
    )
    duration = sum((phase.duration for phase in profile), timedelta())
    if not timedelta() < duration <= LONGEST_DURATION or not any(phase.watts for phase in profile):
        raise refusal("no_such_duration")
    if len(profile) > 1 and not call.data[ATTR_CONTIGUOUS]:
        raise refusal("profile_in_one_go")
    now = dt_util.utcnow()
    earliest, latest = _allowed(call.data, now, duration)
    if CONF_ROLE in call.data or ATTR_SOURCE in call.data:
        return await _one_forecast(call, entry, profile, earliest, latest)
    wish = Wish(
        profile=profile,
        weights=_weights(call.data),
        earliest=earliest,
        latest=latest,
        count=call.data[ATTR_COUNT],
        contiguous=call.data[ATTR_CONTIGUOUS],
        shortest_run=call.data.get(ATTR_SHORTEST_RUN),
        highest=call.data[ATTR_HIGHEST],
    )
    outlook = await async_outlook(
        call.hass,
        entry.runtime_data,
        _chosen(call, entry),
        export_price=call.data[ATTR_EXPORT_PRICE],
        house_watts=call.data[ATTR_HOUSE_POWER],
    )
    try:
        found = await call.hass.async_add_executor_job(plans, outlook, wish, now)
    except NothingKnown as error:
        raise refusal("nothing_foreseen", aim=error.aim.value, role=AIM_ROLES[error.aim]) from error
    except ValueError as error:
        raise refusal("no_window", reason=str(error)) from error
    return {**_range(earliest, latest), "windows": [answer_plan(plan) for plan in found]}


def _range(earliest: datetime, latest: datetime | None) -> JsonObjectType:
    return {"earliest": earliest.isoformat(), "latest": latest.isoformat() if latest else None}


def _allowed(asked: Mapping[str, Any], now: datetime, duration: timedelta) -> tuple[datetime, datetime | None]:
    """Return between when and when something may run: never before now.

    Raises:
        ServiceValidationError: it does not fit.
    """
    earliest = max(moment(asked, ATTR_EARLIEST) or now, now)
    latest = moment(asked, ATTR_LATEST)
    begin: time | None = asked.get(ATTR_NOT_BEFORE)
    end: time | None = asked.get(ATTR_READY_BY)
    zone = dt_util.get_default_time_zone()
    if end is not None:
        span = next_span(earliest, zone, begin, end, needed=duration)
        if span is None:
            raise refusal("window_too_short")
        earliest, latest = span[0], span[1] if latest is None else min(latest, span[1])
    elif begin is not None:
        earliest = next(start for start, _ in daily_spans(earliest, zone, begin) if start >= earliest)
    if latest is not None and latest - earliest < duration:
        raise refusal("window_too_short")
    return earliest, latest


def _weights(asked: Mapping[str, Any]) -> dict[Aim, float]:
    """Return what counts; the price where nothing is said."""
    weights = {aim: asked[name] for aim, name in ATTR_WEIGHTS.items() if asked.get(name)}
    return weights or {Aim.PRICE: 1.0}


def _chosen(call: ServiceCall, entry: StrataConfigEntry) -> dict[Aim, Forecast]:
    """Return the forecasts of the sources that the call names.

    Raises:
        ServiceValidationError: there is no such source, it foresees nothing, or no aim is about it.
    """
    chosen = {}
    for name in call.data[ATTR_SOURCES]:
        source, key = find_forecast(call.hass, entry, {ATTR_SOURCE: name})
        aim = next((aim for aim, role in AIM_ROLES.items() if role == source.role.key), None)
        if aim is None or (forecast := forecast_of(source, key)) is None:
            raise refusal("source_has_no_forecast", source=source.title)
        chosen[aim] = forecast
    return chosen


async def _one_forecast(
    call: ServiceCall,
    entry: StrataConfigEntry,
    profile: tuple[Phase, ...],
    earliest: datetime,
    latest: datetime | None,
) -> JsonObjectType:
    """Return windows by the values of any one forecast, whatever it is about."""
    about = answer_forecast(call.hass, entry, {**call.data, "start": earliest})
    source, key = find_forecast(call.hass, entry, call.data)
    forecast = forecast_of(source, key)
    slots = forecast.slots if forecast else ()
    asked: dict[str, Any] = {
        "count": call.data[ATTR_COUNT],
        "earliest": earliest,
        "latest": latest,
        "highest": call.data[ATTR_HIGHEST],
    }

    def find() -> list[Window]:
        if len(profile) > 1:
            return find_profile_windows(slots, profile, **asked)
        return find_windows(
            slots,
            profile[0].duration,
            contiguous=call.data[ATTR_CONTIGUOUS],
            shortest_run=call.data.get(ATTR_SHORTEST_RUN),
            **asked,
        )

    try:
        found = await call.hass.async_add_executor_job(find)
    except ValueError as error:
        raise refusal("no_window", reason=str(error)) from error
    told = {name: about[name] for name in ("source", "title", "role", "provider", "forecast", "unit")}
    return {**_range(earliest, latest), **told, "windows": [_window(window) for window in found]}


def _window(window: Window) -> JsonObjectType:
    return {
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "parts": [{"start": start.isoformat(), "end": end.isoformat()} for start, end in window.parts],
        "running_seconds": round(sum((end - start).total_seconds() for start, end in window.parts)),
        "value": round(window.value, 5),
    }
