"""The form of a planned window: what runs, when it may, what counts; shown as it would be before it is saved."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigSubentry, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.helpers import selector as sel
from homeassistant.util import dt as dt_util
import probatio

from ..api.plan import answer_saving
from ..core.agenda import Appointment, Booking, book
from ..core.daily import next_span
from ..runtime import StrataConfigEntry
from ..window_outlook import async_outlook
from ..window_subentry import (
    CONF_APART,
    CONF_CONTIGUOUS,
    CONF_DURATION,
    CONF_EXPORT_PRICE,
    CONF_HOUSE_POWER,
    CONF_NAME,
    CONF_NOT_BEFORE,
    CONF_POWER,
    CONF_PROFILE,
    CONF_RANK,
    CONF_READY_BY,
    CONF_SHORTEST_RUN,
    CONF_WEIGHTS,
    DEFAULTS,
    appointment_of,
)

UNKNOWN = "–"


class WindowFlow(ConfigSubentryFlow):
    """Add a planned window, or change one."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._title = ""
        self._data: dict[str, Any] = {}

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for all of it."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._data = {key: value for key, value in user_input.items() if value not in (None, "")}
            self._title = str(self._data.pop(CONF_NAME)).strip()
            if (problem := _problem(self._title, self._data)) is None:
                return await self.async_step_preview()
            errors = dict([problem])
        return self.async_show_form(
            step_id="reconfigure" if self._current else "user",
            data_schema=self.add_suggested_values_to_schema(
                _schema(self.hass.config.currency), user_input or self._shown()
            ),
            errors=errors,
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Change a window that is there."""
        return await self.async_step_user(user_input)

    async def async_step_preview(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Show when it would run next, and save."""
        if user_input is None:
            appointment = appointment_of("preview", self._data)
            found = await async_preview(self.hass, self._get_entry(), appointment)
            return self.async_show_form(
                step_id="preview",
                data_schema=probatio.Schema({}),
                description_placeholders={"name": self._title, **found},
                last_step=True,
            )
        if self._current is None:
            return self.async_create_entry(title=self._title, data=self._data)
        return self.async_update_and_abort(self._get_entry(), self._current, title=self._title, data=self._data)

    @property
    def _current(self) -> ConfigSubentry | None:
        """The window that is changed, None when one is added."""
        return self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None

    def _shown(self) -> dict[str, Any]:
        if self._current is None:
            return dict(DEFAULTS)
        return {**DEFAULTS, CONF_NAME: self._current.title, **self._current.data}


def _problem(title: str, data: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return which field is wrong and why, None when the window makes sense."""
    if not title:
        return CONF_NAME, "no_name"
    try:
        appointment = appointment_of("new", data)
    except ValueError:
        return CONF_PROFILE, "invalid_profile"
    checks = (
        (appointment.duration <= timedelta(), CONF_DURATION, "no_duration"),
        (not any(phase.watts for phase in appointment.profile), CONF_PROFILE, "no_power"),
        (not appointment.contiguous and len(appointment.profile) > 1, CONF_CONTIGUOUS, "profile_in_one_go"),
        (not any(appointment.weights.values()), "base", "no_weights"),
        (not _fits(appointment), "base", "too_long"),
    )
    return next(((field, error) for wrong, field, error in checks if wrong), None)


def _fits(appointment: Appointment) -> bool:
    zone = dt_util.get_default_time_zone()
    when = appointment.not_before, appointment.ready_by
    return next_span(dt_util.utcnow(), zone, *when, needed=appointment.duration) is not None


async def async_preview(hass: HomeAssistant, entry: StrataConfigEntry, appointment: Appointment) -> dict[str, str]:
    """Return, as text, when a load would run next and what it would cost, emit and save."""
    outlook = await async_outlook(hass, entry.runtime_data)
    zone = dt_util.get_default_time_zone()
    bookings = await hass.async_add_executor_job(
        book, [appointment], {}, outlook if outlook.known else None, dt_util.utcnow(), zone
    )
    booking = bookings[appointment.key]
    plan = booking.plan if booking else None
    saving = answer_saving(plan.totals, plan.now) if plan else {}
    currency = plan.currency if plan and plan.currency else ""
    return {
        "when": _when(booking),
        "cost": _amount(plan.totals.cost if plan else None, currency),
        "carbon": _amount(plan.totals.carbon_kg if plan else None, "kg"),
        "saving": _amount(saving.get("cost"), currency),
    }


def _when(booking: Booking | None) -> str:
    if booking is None:
        return UNKNOWN
    parts = [(dt_util.as_local(start), dt_util.as_local(end)) for start, end in booking.parts]
    return ", ".join(f"{start:%Y-%m-%d %H:%M}–{end:%H:%M}" for start, end in parts)


def _amount(value: object, unit: str) -> str:
    return f"{value:.2f} {unit}".strip() if isinstance(value, int | float) else UNKNOWN


def _number(unit: str | None = None, *, least: float | None = 0, most: float | None = None) -> sel.NumberSelector:
    config = sel.NumberSelectorConfig(mode=sel.NumberSelectorMode.BOX, step="any")
    if least is not None:
        config["min"] = least
    if most is not None:
        config["max"] = most
    if unit is not None:
        config["unit_of_measurement"] = unit
    return sel.NumberSelector(config)


def _schema(currency: str) -> probatio.Schema:
    weight = sel.NumberSelector(sel.NumberSelectorConfig(min=0, max=10, step=0.1, mode=sel.NumberSelectorMode.SLIDER))
    period = sel.DurationSelector(sel.DurationSelectorConfig(enable_second=False))
    return probatio.Schema(
        {
            probatio.Required(CONF_NAME): sel.TextSelector(),
            probatio.Optional(CONF_DURATION): period,
            probatio.Optional(CONF_PROFILE): sel.TextSelector(),
            probatio.Required(CONF_POWER): _number("W", least=1, most=1e6),
            **{probatio.Required(name): weight for name in CONF_WEIGHTS.values()},
            probatio.Optional(CONF_NOT_BEFORE): sel.TimeSelector(),
            probatio.Optional(CONF_READY_BY): sel.TimeSelector(),
            probatio.Required(CONF_CONTIGUOUS): sel.BooleanSelector(),
            probatio.Optional(CONF_SHORTEST_RUN): period,
            probatio.Required(CONF_APART): sel.BooleanSelector(),
            probatio.Required(CONF_RANK): sel.NumberSelector(
                sel.NumberSelectorConfig(min=1, max=99, step=1, mode=sel.NumberSelectorMode.BOX)
            ),
            probatio.Required(CONF_EXPORT_PRICE): _number(f"{currency}/kWh", least=None),
            probatio.Required(CONF_HOUSE_POWER): _number("W"),
        }
    )
