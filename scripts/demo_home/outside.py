"""The outside sources of the demo: which are added, and what they have to show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
import math
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er

from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import Series
from custom_components.strata.sources import role as role_of
from custom_components.strata.sources.base import Role
from custom_components.strata.store.base import StoredForecast
from custom_components.strata.store.reader import StoreReader

from . import payloads
from .calendars import CALENDAR
from .core import AddedSource, SourceChoice, hub
from .findings import Findings
from .floor_plan import CARBON_ENTITY, PRICE_ENTITY
from .home import Home
from .stored import ALWAYS

POWER_ENTITY, PERSON = "sensor.house_power", "person.anna"
_CIRCUITS = ["sensor.fridge_power", "sensor.heat_pump_power", "sensor.dishwasher_power", "sensor.desk_power"]

type Expected = Callable[[HomeAssistant, datetime], float]


def _state(entity_id: str) -> Expected:
    return lambda hass, now: float(state.state) if (state := hass.states.get(entity_id)) else float("nan")


def _at_home(hass: HomeAssistant, now: datetime) -> float:
    """Return the probability that Anna, who is there and works from home until 22:00, is so half through the slot.

    Her presence counts half as much an hour later and her plan half as much three days later; what habits add to that
    is less than what is rounded away.
    """
    ahead = max(900.0 - now.timestamp() % 1800, 0.0) / 3600
    there, planned = 0.5**ahead, 0.5 ** (ahead / 72)
    return round(100 / (1 + math.exp(-(there * 3 + (1 - there) * planned * 1.7))), 1)


# By hand from the mix and the IPCC's medians: MW times g/kWh, over the MW of what has a median.
_GERMAN_GRAMS = 1620 * 24 + 4480 * 230 + (9120 + 4310) * 820 + 8240 * 490 + 3900 * 12 + 16380 * 11 + 6120 * 45
_GERMAN_MEGAWATTS = 1620 + 4480 + 9120 + 4310 + 8240 + 3900 + 16380 + 6120

_CHOICES: tuple[tuple[SourceChoice, Expected], ...] = (
    (
        SourceChoice(role="carbon_intensity", provider="neso", mode="recorded", tag="NESO", options={}),
        lambda hass, now: round(payloads.british_intensity(now)),
    ),
    (
        SourceChoice(
            role="carbon_intensity",
            provider="energy_charts",
            mode="recorded",
            tag="Energy-Charts",
            options={"country": "de"},
        ),
        lambda hass, now: _GERMAN_GRAMS / _GERMAN_MEGAWATTS,
    ),
    (
        SourceChoice(
            role="electricity_pricing",
            provider="energy_charts",
            mode="recorded",
            tag="energy_charts:DE-LU",
            options={"bidding_zone": "DE-LU"},
        ),
        lambda hass, now: payloads.quarter_price(now) / 1000,
    ),
    (
        SourceChoice(
            role="electricity_pricing",
            provider="awattar_de",
            mode="recorded",
            tag="awattar_de",
            options={},
            has_form=False,
        ),
        lambda hass, now: payloads.hour_price(now) / 1000,
    ),
    (
        # The place decides the tag, and the demo's home lies in Berlin.
        SourceChoice(role="air_quality", provider="open_meteo", mode="recorded", tag="overall", options={}),
        # 12.1 µg/m³ of PM2.5: 51 + (12.1 - 9.1) · 49 / (35.4 - 9.1).
        lambda hass, now: 57.0,
    ),
    (
        SourceChoice(
            role="carbon_intensity",
            provider="entity",
            mode="entity",
            tag=CARBON_ENTITY,
            options={"entity": CARBON_ENTITY},
        ),
        _state(CARBON_ENTITY),
    ),
    (
        SourceChoice(
            role="electricity_pricing",
            provider="entity",
            mode="entity",
            tag=f"entity:{PRICE_ENTITY}",
            options={"entity": PRICE_ENTITY},
        ),
        _state(PRICE_ENTITY),
    ),
    (
        SourceChoice(
            role="smart_meter",
            provider="entity",
            mode="entity",
            tag=f"entity:{POWER_ENTITY}",
            options={"entity": POWER_ENTITY, "energy_entity": "sensor.grid_import", "circuit_entities": _CIRCUITS},
        ),
        _state(POWER_ENTITY),
    ),
    (
        SourceChoice(
            role="occupancy_prediction",
            provider="calendar",
            mode="entity",
            tag="anna",
            options={"calendars": [CALENDAR], "person": PERSON},
        ),
        _at_home,
    ),
)


def choices(home: Home) -> list[SourceChoice]:
    """Return the sources that this home can have."""
    return [choice for choice, _ in _CHOICES if choice.mode != "entity" or _named(choice) in home.entities]


def _named(choice: SourceChoice) -> str:
    """Return the entity of the home that a source cannot do without."""
    return str(choice.options.get("entity") or choice.options["person"])


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSeen:
    """A source as Home Assistant shows it: its entities' states, its values, how far it looks ahead."""

    added: AddedSource
    entities: Mapping[str, str]
    values: Mapping[str, Any]
    healthy: bool
    forecast_slots: int

    def as_json(self) -> dict[str, object]:
        """Return the report's entry."""
        choice = self.added.choice
        return {
            "role": choice.role,
            "provider": choice.provider,
            "mode": choice.mode,
            "title": self.added.title,
            "entities": dict(self.entities),
            "forecast_slots": self.forecast_slots,
        }


async def look_at(hass: HomeAssistant, added: list[AddedSource]) -> list[SourceSeen]:
    """Ask Home Assistant and Strata's actions what the sources say now."""
    for source in added:
        # By itself a meter is read every half minute at most.
        if source.choice.mode == "entity":
            await hub(hass).runtime_data.sources[source.subentry_id].async_refresh()
    answer = await hass.services.async_call(DOMAIN, "get_current", {}, blocking=True, return_response=True)
    current: dict[str, Any] = {row["source"]: row for row in (answer or {})["sources"]}  # type: ignore[index, union-attr, misc, call-overload]
    seen = []
    for source in added:
        entries = er.async_entries_for_config_entry(er.async_get(hass), hub(hass).entry_id)
        names = sorted(entry.entity_id for entry in entries if entry.config_subentry_id == source.subentry_id)
        states = {name: state.state for name in names if (state := hass.states.get(name)) is not None}
        seen.append(
            SourceSeen(
                added=source,
                entities=states,
                values=current[source.subentry_id]["values"],
                healthy=current[source.subentry_id]["healthy"],
                forecast_slots=await _slots(hass, source),
            )
        )
    return seen


async def _slots(hass: HomeAssistant, source: AddedSource) -> int:
    try:
        answer: Any = await hass.services.async_call(
            DOMAIN, "get_forecast", {"source": source.subentry_id}, blocking=True, return_response=True
        )
    except HomeAssistantError:
        # A source without a forecast says so by refusing.
        return 0
    return len(answer["slots"])


def prove_sources(hass: HomeAssistant, seen: list[SourceSeen], findings: Findings) -> None:
    """Check that each source shows what its service (or its entity) says for the present."""
    now = datetime.now(UTC)
    expected = {(choice.role, choice.provider): value for choice, value in _CHOICES}
    for source in seen:
        choice = source.added.choice
        main = role_of(choice.role).main
        wanted = expected[choice.role, choice.provider](hass, now)
        got = source.values[main]["value"]
        shown = [float(state) for state in source.entities.values() if _is_number(state)]
        near = any(abs(value - wanted) <= 1e-6 * max(1, abs(wanted)) for value in shown)
        held = got is not None and abs(got - wanted) <= 1e-9 * max(1, abs(wanted)) and near and source.healthy
        unit = source.values[main]["unit"]
        findings.check(
            f"{choice.role} from {choice.provider} shows what it should",
            held,
            f"{got:.5g} {unit}" if held else f"{got} {unit}, not {wanted}; entities {dict(source.entities)}",
        )


async def prove_stored(hass: HomeAssistant, seen: list[SourceSeen], findings: Findings) -> None:
    """Check that each source's readings are in the store, and its forecast as it was issued."""
    worker = hub(hass).runtime_data.worker
    await worker.flush()
    missing = []
    for source in seen:
        role = role_of(source.added.choice.role)
        name = str(hub(hass).subentries[source.added.subentry_id].unique_id)
        series = [one.id or 0 for one in worker.all_series() if _is_main(one, role, source)]
        rows = await worker.read(_rows_of(series))
        if rows == 0:
            missing.append(f"{name} has no readings")
        if source.forecast_slots and not await worker.read(_forecasts_of(name)):
            missing.append(f"{name} has no forecast")
    findings.check(
        "readings and forecasts of the sources are stored", not missing, "; ".join(missing) or f"{len(seen)} sources"
    )


def _is_main(series: Series, role: Role, source: SourceSeen) -> bool:
    """Tell whether the series is of the role's main value as this source's provider tells it."""
    is_main = series.key.measurement == role.measurement and series.key.field == role.main
    return is_main and source.added.choice.tag in series.key.tags.values()


def _rows_of(series: list[int]) -> Callable[[StoreReader], int]:
    return lambda reader: sum(len(reader.raw(number, ALWAYS)) for number in series)


def _forecasts_of(source: str) -> Callable[[StoreReader], list[StoredForecast]]:
    return lambda reader: reader.forecasts(source)


def _is_number(state: str) -> bool:
    try:
        float(state)
    except ValueError:
        return False
    return True
