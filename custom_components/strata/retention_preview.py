"""What a change of the options about retention would delete, told before it is saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from .core.model import Series, to_micros
from .keeping import async_keeps, expires_days, policies_of
from .runtime import StrataConfigEntry, ladder_of
from .store.base import TierSize
from .store.preview import Losses, Terms, losses

MOST_NAMED = 10
_LAYERS: Mapping[str, str] = {
    "raw": "single changes",
    "five_minute": "5-minute summaries",
    "hourly": "hourly summaries",
    "daily": "daily summaries",
}
"""What rows of a tier are called."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What one entity or source would lose, by tier."""

    name: str
    tiers: Mapping[str, TierSize]

    @property
    def rows(self) -> int:
        """Rows in all tiers."""
        return sum(size.rows for size in self.tiers.values())

    @property
    def bytes(self) -> int:
        """Bytes of their chunks."""
        return sum(size.bytes for size in self.tiers.values())

    def said_rows(self) -> str:
        """Return the rows as they are read: how many of each layer, the finest first."""
        return ", ".join(f"{self.tiers[tier].rows:,} {words}" for tier, words in _LAYERS.items() if tier in self.tiers)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be lost, the most bytes first."""

    losses: tuple[Loss, ...]

    @property
    def rows(self) -> int:
        """Rows of all."""
        return sum(loss.rows for loss in self.losses)

    @property
    def bytes(self) -> int:
        """Bytes of all."""
        return sum(loss.bytes for loss in self.losses)

    def as_text(self) -> dict[str, str]:
        """Return placeholders of a text."""
        named = [f"- {loss.name}: {loss.said_rows()}, {said_bytes(loss.bytes)}" for loss in self.losses[:MOST_NAMED]]
        if (more := len(self.losses) - MOST_NAMED) > 0:
            named.append(f"- … (+{more})")
        return {"rows": f"{self.rows:,}", "size": said_bytes(self.bytes), "entities": "\n".join(named)}

    def as_json(self) -> JsonObjectType:
        """Return the answer of the action."""
        return {
            "rows": self.rows,
            "bytes": self.bytes,
            "entities": [
                {
                    "name": loss.name,
                    "rows": loss.rows,
                    "bytes": loss.bytes,
                    "tiers": {tier: {"rows": size.rows, "bytes": size.bytes} for tier, size in loss.tiers.items()},
                }
                for loss in self.losses
            ],
        }


def said_bytes(size: float) -> str:
    """Return a size as it is read."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


async def async_preview(hass: HomeAssistant, entry: StrataConfigEntry, after: Mapping[str, Any]) -> Preview:
    """Return what options would delete that those in force would not; the hub is loaded."""
    worker = entry.runtime_data.worker
    series = {each.id: each for each in worker.all_series() if each.id is not None}
    now = to_micros(dt_util.utcnow())
    old, new = [await _terms(hass, entry, options) for options in (entry.options, after)]
    found: Losses = await worker.read(lambda reader: losses(reader.connection, old, new, series, now))
    named: dict[str, dict[str, TierSize]] = {}
    for number, tiers in found.items():
        own = named.setdefault(series_name(series[number]), {})
        for tier, size in tiers.items():
            so_far = own.get(tier, TierSize())
            own[tier] = TierSize(so_far.rows + size.rows, so_far.bytes + size.bytes)
    told = [Loss(name, tiers) for name, tiers in named.items()]
    return Preview(tuple(sorted(told, key=lambda loss: (-loss.bytes, loss.name))))


def series_name(series: Series) -> str:
    """Return what a user knows a series as: its entity, or its measurement and key tags."""
    tags = ", ".join(series.key.tags.values())
    return series.labels.get("entity_id") or (f"{series.key.measurement} ({tags})" if tags else series.key.measurement)


async def _terms(hass: HomeAssistant, entry: StrataConfigEntry, options: Mapping[str, Any]) -> Terms:
    ladder = ladder_of(options)
    keeps = await async_keeps(hass, entry.runtime_data.worker.all_series(), policies_of(options), ladder)
    return Terms(ladder, keeps, expires_days(entry, options))
