"""What the options say about how long history is kept, in the words of the store and the ladder."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .const import CONF_RETENTION, SUBENTRY_ARCHIVE
from .core.filter import EntityFacts, Selection
from .core.model import Series
from .core.policy import TIERS, Keeps as TierKeeps, Policies, Rule, SeriesFacts, contradiction
from .retention import Schedule, times_of
from .store.tiers import DAILY, FIVE_MINUTE, HOURLY, Keeps, Ladder

CONF_RULES = "rules"
CONF_KINDS = "kinds"
CONF_PINNED = "pinned"
CONF_WATCHED = "watched"
CONF_EXPIRE_DAYS = "expire_days"
CONF_PRICE = "price_per_gb"
CONF_WEATHER = "weather"
SELECTORS = ("entities", "labels", "areas", "device_classes", "domains")
"""What a rule may name."""
FOR_EVER_DAYS = 0
"""In forms, so many days mean for ever."""
LONGEST_KEEP = 36_500
"""Days: a hundred years."""
_SLICE = 200
_TOO_SHORT = {
    FIVE_MINUTE: "rule_five_minute_too_short",
    HOURLY: "rule_hourly_too_short",
    DAILY: "rule_daily_too_short",
}
"""What is wrong with a rule that keeps a layer shorter than a finer one, by that layer."""

type Said = Mapping[str, Any]


def retention_of(options: Mapping[str, Any]) -> Said:
    """Return what the page about retention says."""
    said: Said = options.get(CONF_RETENTION, {})
    return said


def keep_of(days: float) -> timedelta | None:
    """Return how long a number of days in a form is; None is for ever."""
    return None if days == FOR_EVER_DAYS else timedelta(days=days)


def rule_of(said: Said) -> Rule:
    """Return a rule as the form has it."""
    selection = Selection(**{name: frozenset(said.get(name) or ()) for name in SELECTORS})
    return Rule(selection, {tier: keep_of(said[tier]) for tier in TIERS if said.get(tier) is not None})


def wrong_rule(rules: Iterable[Said]) -> tuple[str, dict[str, str]] | None:
    """Return what is wrong with the first rule that names nothing, says nothing or contradicts itself."""
    for number, said in enumerate(rules, 1):
        rule = rule_of(said)
        if not any(said.get(name) for name in SELECTORS) or not rule.keeps:
            return "rule_incomplete", {"rule": str(number)}
        if (pair := contradiction(rule.keeps)) is not None:
            finer, coarser = (str(said[tier]) for tier in pair)
            return _TOO_SHORT[pair[1]], {"rule": str(number), "finer_days": finer, "coarser_days": coarser}
    return None


def policies_of(options: Mapping[str, Any]) -> Policies:
    """Return everything the options say about single series."""
    said = retention_of(options)
    return Policies(
        tuple(rule_of(rule) for rule in said.get(CONF_RULES, ())),
        tuple(said.get(CONF_KINDS, ())),
        Selection(entities=frozenset(said.get(CONF_PINNED, ()))),
    )


def expires_days(entry: ConfigEntry, options: Mapping[str, Any] | None = None) -> bool:
    """Tell whether days go although nothing stands for them: where the user says so, and no archive is to have them."""
    said = retention_of(entry.options if options is None else options)
    return bool(said.get(CONF_EXPIRE_DAYS)) and not any(entry.get_subentries_of_type(SUBENTRY_ARCHIVE))


def schedule_of(options: Mapping[str, Any]) -> Schedule:
    """Return when the steps of the ladder are due."""
    return times_of(retention_of(options), Schedule())


def watched_of(options: Mapping[str, Any]) -> Selection:
    """Return the entities that get 5-minute summaries beside power and energy."""
    return Selection(entities=frozenset(retention_of(options).get(CONF_WATCHED, ())))


@callback
def current_id(hass: HomeAssistant, series: Series) -> str | None:
    """Return the entity id that a series' entity has now, None where the entity registry does not know it."""
    identity = series.key.identity.removeprefix("entity:")
    entry = er.async_get(hass).entities.get_entry(identity)
    return None if entry is None else entry.entity_id


@callback
def facts_of(hass: HomeAssistant, series: Series) -> SeriesFacts:
    """Return what rules may ask about a series; of an entity that is gone what was last known of it."""
    entity_id = current_id(hass, series) or series.labels.get("entity_id")
    if entity_id is None:
        return SeriesFacts(series.key.measurement)
    labels: set[str] = set()
    if (entry := er.async_get(hass).async_get(entity_id)) is not None:
        labels |= entry.labels
        if entry.device_id and (device := dr.async_get(hass).async_get(entry.device_id)) is not None:
            labels |= device.labels
    return SeriesFacts(
        series.key.measurement,
        EntityFacts(
            entity_id=entity_id,
            device_class=series.labels.get("device_class"),
            area_id=series.labels.get("area_id"),
            labels=frozenset(labels),
        ),
    )


async def async_keeps(hass: HomeAssistant, all_series: Iterable[Series], policies: Policies, ladder: Ladder) -> Keeps:
    """Return how long those series are kept that are kept otherwise than the ladder says, a slice at a time."""
    if not policies:
        return {}
    default: TierKeeps = {tier.name: tier.keep for tier in ladder.tiers}
    keeps: dict[int, TierKeeps] = {}
    for count, series in enumerate(list(all_series), 1):
        if series.id is not None and (own := policies.keeps(facts_of(hass, series), default)) != default:
            keeps[series.id] = own
        if not count % _SLICE:
            await asyncio.sleep(0)
    return keeps
