"""What a mirror gets, and into which databases."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ..core.model import Series
from ..store.tiers import RAW, Ladder
from ..store.views import VIEWS


class Content(StrEnum):
    """One kind of thing that can be mirrored."""

    RAW = "raw"
    """Home Assistant's state changes as they came."""
    READINGS = "readings"
    """What sources said."""
    FIVE_MINUTE = "five_minute"
    HOURLY = "hourly"
    DAILY = "daily"
    FORECASTS = "forecasts"
    VIEWS = "views"
    """Finished rows of views."""


DEFAULT_CONTENTS = frozenset(Content)
ROLL_UPS = frozenset({Content.FIVE_MINUTE, Content.HOURLY, Content.DAILY})


def is_reading(series: Series) -> bool:
    """Tell whether a series comes from a source and not from a Home Assistant entity."""
    return not series.key.identity.startswith("entity:")


def wants_rows(contents: frozenset[Content], series: Series) -> bool:
    """Tell whether a series' raw rows are mirrored."""
    return (Content.READINGS if is_reading(series) else Content.RAW) in contents


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database or bucket as it should be; `keep` and `shard` are None where the server decides."""

    name: str
    keep: timedelta | None
    shard: timedelta | None


_SPARE = timedelta(days=3)
"""How much longer than we a server keeps points, so that late ones still have a place."""
_KEEP_VIEWS = timedelta(days=max(view.keep_days for view in VIEWS))
"""How long the view that keeps its rows the longest does."""
_SHARDS: Mapping[str, timedelta] = {
    RAW: timedelta(days=1),
    "five_minute": timedelta(days=7),
    "hourly": timedelta(days=30),
    "daily": timedelta(weeks=52),
    Content.VIEWS.value: timedelta(weeks=52),
}
"""Few long shards for few points: measured, a year of days takes a third of the room of the default's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which database each tier goes to: one for all, or one per tier named after it."""

    base: str
    per_tier: bool = True

    def name(self, tier: str) -> str:
        """Return the database of a tier or of views; forecasts and readings live with the raw rows."""
        return f"{self.base}_{tier}" if self.per_tier else self.base

    def databases(self, contents: frozenset[Content], ladder: Ladder) -> tuple[Database, ...]:
        """Return the databases that are needed, with how long the server should keep points in them."""
        tiers = [RAW] if contents - ROLL_UPS - {Content.VIEWS} else []
        tiers += [tier.name for tier in ladder.tiers if tier.name in {content.value for content in contents & ROLL_UPS}]
        keeps = {tier.name: tier.keep for tier in ladder.tiers} | {Content.VIEWS.value: _KEEP_VIEWS}
        if Content.VIEWS in contents and (self.per_tier or not tiers):
            # In a database for all, views have nothing else kept for their years.
            tiers.append(Content.VIEWS.value)
        if not self.per_tier:
            longest = (
                None if any(keeps[tier] is None for tier in tiers) else max(keeps[tier] or _SPARE for tier in tiers)
            )
            return (_database(self.base, longest, _SHARDS["five_minute"]),)
        return tuple(_database(self.name(tier), keeps[tier], _SHARDS[tier]) for tier in tiers)


def _database(name: str, keep: timedelta | None, shard: timedelta) -> Database:
    if keep is None:
        return Database(name=name, keep=None, shard=shard)
    keep += _SPARE
    return Database(name=name, keep=keep, shard=min(shard, keep))
