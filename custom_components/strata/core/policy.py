"""How long the history of each entity is kept: rules, presets, and which of them decides.

For each tier the most specific rule that says anything about it decides:

1. The entity is pinned: everything is kept for ever.
2. A rule names the entity or a pattern of its id.
3. A rule names one of its labels, its own or its device's.
4. A rule names its area.
5. A rule names its device class.
6. A rule names its domain.
7. A preset for its kind of data is chosen.
8. Otherwise the tier is kept as long as everything else.

Of several rules of the same rank the longest keep counts, so the order of the rules does not matter. A coarser tier is
kept at least as long as the finer ones, whatever the rules say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from itertools import pairwise

from .filter import EntityFacts, Selection

type Keep = timedelta | None
"""How long rows are kept; None is for ever."""
type Keeps = Mapping[str, Keep]
"""By tier."""

TIERS = ("raw", "five_minute", "hourly", "daily")
"""From fine to coarse."""
FOR_EVER: Keeps = dict.fromkeys(TIERS)


class Rank(IntEnum):
    """How specific a rule is about an entity; lower wins."""

    PIN = 1
    ENTITY = 2
    LABEL = 3
    AREA = 4
    DEVICE_CLASS = 5
    DOMAIN = 6
    KIND = 7


def days(**keeps: int | None) -> dict[str, Keep]:
    """Return keeps by tier from numbers of days; None is for ever."""
    return {tier: None if count is None else timedelta(days=count) for tier, count in keeps.items()}


PRESETS: Mapping[str, Keeps] = {
    "minimal": days(raw=2, five_minute=7, hourly=30, daily=365),
    "balanced": days(raw=7, five_minute=35, hourly=90, daily=365),
    "keep_everything": FOR_EVER,
}
"""Presets for the whole home."""


@dataclass(frozen=True, slots=True)
class DataKind:
    """A kind of data: which series belong to it, and how long they are kept when its preset is chosen."""

    keeps: Keeps
    device_classes: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    measurements: frozenset[str] = frozenset()
    binary: bool | None = None
    """Only binary sensors, or only others: `gas` is an alarm there and a meter elsewhere."""

    def covers(self, facts: SeriesFacts) -> bool:
        """Tell whether a series is of this kind."""
        if facts.measurement in self.measurements:
            return True
        entity = facts.entity
        if entity is None:
            return False
        if entity.domain in self.domains:
            return True
        if self.binary is not None and self.binary != (entity.domain == "binary_sensor"):
            return False
        return entity.device_class in self.device_classes


KINDS: Mapping[str, DataKind] = {
    "power": DataKind(
        days(raw=7, five_minute=60, hourly=180, daily=1825),
        frozenset({"power", "apparent_power", "reactive_power", "current", "voltage"}),
        binary=False,
    ),
    "energy": DataKind(
        days(raw=7, five_minute=60, hourly=730, daily=None),
        frozenset({"energy", "energy_storage", "gas", "water"}),
        binary=False,
    ),
    "cost": DataKind(
        days(raw=30, five_minute=60, hourly=730, daily=None),
        frozenset({"monetary"}),
        measurements=frozenset({"electricity_pricing", "market_price"}),
        binary=False,
    ),
    "device_status": DataKind(
        days(raw=7, five_minute=14, hourly=30, daily=365),
        frozenset({"battery", "battery_charging", "connectivity", "plug", "running", "signal_strength", "update"}),
        frozenset({"automation", "device_tracker", "fan", "light", "media_player", "script", "switch", "vacuum"}),
    ),
    "alerts": DataKind(
        days(raw=365, five_minute=365, hourly=365, daily=1825),
        frozenset(
            {"carbon_monoxide", "gas", "heat", "moisture", "problem", "safety", "smoke", "sound", "tamper", "vibration"}
        ),
        frozenset({"alarm_control_panel", "alert"}),
        binary=True,
    ),
}
"""Presets for a kind of data; where several cover a series, the longest keep counts."""


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What a rule may ask about a series."""

    measurement: str
    entity: EntityFacts | None = None
    """None for a source's readings."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Some entities, and how long their rows are kept in some tiers."""

    selection: Selection
    keeps: Keeps

    def rank(self, facts: EntityFacts) -> Rank | None:
        """Return how specifically the rule names an entity, None when it does not."""
        which = self.selection
        asked = (
            (Rank.ENTITY, which.names(facts) or which.globs(facts)),
            (Rank.LABEL, which.labelled(facts)),
            (Rank.AREA, facts.area_id in which.areas),
            (Rank.DEVICE_CLASS, facts.device_class in which.device_classes),
            (Rank.DOMAIN, facts.domain in which.domains),
        )
        return next((rank for rank, named in asked if named), None)


@dataclass(frozen=True, slots=True)
class Policies:
    """Everything a user has said about how long single series are kept."""

    rules: Sequence[Rule] = ()
    kinds: Sequence[str] = ()
    pinned: Selection = field(default_factory=Selection)

    def __bool__(self) -> bool:
        """Tell whether any series is kept otherwise than the rest."""
        return bool(self.rules or self.kinds or self.pinned.entities or self.pinned.broad)

    def keeps(self, facts: SeriesFacts, default: Keeps) -> Keeps:
        """Return how long each tier of a series is kept, by tier; `default` is what the others are kept."""
        said: dict[str, tuple[Rank, Keep]] = {}
        for rank, keeps in self._about(facts):
            for tier, keep in keeps.items():
                before = said.get(tier)
                if before is None or rank < before[0]:
                    said[tier] = rank, keep
                elif rank == before[0]:
                    said[tier] = rank, longer(before[1], keep)
        chosen = {tier: said[tier][1] if tier in said else keep for tier, keep in default.items()}
        return coarser_at_least_as_long(chosen)

    def _about(self, facts: SeriesFacts) -> Iterable[tuple[Rank, Keeps]]:
        entity = facts.entity
        if entity is not None:
            if self.pinned.names(entity) or self.pinned.globs(entity) or self.pinned.labelled(entity):
                yield Rank.PIN, FOR_EVER
            for rule in self.rules:
                if (rank := rule.rank(entity)) is not None:
                    yield rank, rule.keeps
        for kind in self.kinds:
            if kind in KINDS and KINDS[kind].covers(facts):
                yield Rank.KIND, KINDS[kind].keeps


def longer(one: Keep, other: Keep) -> Keep:
    """Return the longer of two keeps."""
    return None if one is None or other is None else max(one, other)


def coarser_at_least_as_long(keeps: Keeps) -> dict[str, Keep]:
    """Return the keeps with each coarser tier kept at least as long as the finer ones."""
    chosen: dict[str, Keep] = {}
    longest: Keep = timedelta(0)
    for tier in TIERS:
        if tier in keeps:
            longest = chosen[tier] = longer(longest, keeps[tier])
    return chosen


def contradiction(keeps: Keeps) -> tuple[str, str] | None:
    """Return the first pair of tiers of which the coarser is kept shorter, None where there is none."""
    said = [(tier, keeps[tier]) for tier in TIERS if tier in keeps]
    for (finer, keep), (coarser, longest) in pairwise(said):
        if longest is not None and (keep is None or keep > longest):
            return finer, coarser
    return None
