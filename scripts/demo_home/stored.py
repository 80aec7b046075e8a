"""What the store says about the home, read the way Strata itself reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from custom_components.strata.core.model import Kind, Series, TimeRange
from custom_components.strata.core.rollup import Rollup
from custom_components.strata.store.base import RawRows
from custom_components.strata.store.reader import StoreReader
from custom_components.strata.store.worker import StoreWorker

from .home import Home, Micros
from .truth import Bucket

EVENTS = "home_assistant_events"
ALWAYS = TimeRange(0, 4_000_000_000_000_000)


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """An entity's series: its rows and its buckets by tier."""

    series: Series
    raw: RawRows
    tiers: Mapping[str, list[Bucket]] = field(default_factory=dict)

    def since(self, tier: str, start: Micros) -> StoredSeries:
        """Return the same without the buckets of one tier that begin before `start`."""
        kept = [bucket for bucket in self.tiers[tier] if bucket.start >= start]
        return replace(self, tiers={**self.tiers, tier: kept})


def home_series(worker: StoreWorker, home: Home) -> dict[str, list[Series]]:
    """Return the series of each entity of the home."""
    found: dict[str, list[Series]] = {name: [] for name in home.entities}
    for series in worker.all_series():
        name = series.labels.get("entity_id", "")
        if series.key.measurement == EVENTS and name in found:
            found[name].append(series)
    return found


def read_series(reader: StoreReader, series: Series, tiers: tuple[str, ...]) -> StoredSeries:
    """Return everything stored about a series."""
    number = series.id or 0
    rolled = {tier: _buckets(reader, series, reader.tier(tier, number, series.kind, ALWAYS)) for tier in tiers}
    return StoredSeries(series, reader.raw(number, ALWAYS), rolled)


def _buckets(reader: StoreReader, series: Series, rollup: Rollup) -> list[Bucket]:
    codes = {int(code) for code in rollup.states.code}
    names = reader.texts(codes) if codes else {}
    columns = {name: column.tolist() for name, column in rollup.columns.items()}
    buckets = []
    for index, (start, end) in enumerate(zip(rollup.starts.tolist(), rollup.ends.tolist(), strict=True)):
        bucket = Bucket(start, end, covered=columns["covered"][index] / 1e6)
        if series.kind is Kind.MEASUREMENT:
            bucket.parts.append(columns["integral"][index])
        elif series.kind is Kind.METER:
            bucket.increases.append(columns["increase"][index])
        elif series.kind is Kind.ON_OFF:
            bucket.seconds["on"] = columns["on"][index] / 1e6
        else:
            bucket.seconds = {names.get(int(code), "?"): value for code, value in rollup.seconds(index).items()}
        buckets.append(bucket)
    return buckets


def value_at(stored: StoredSeries, time: Micros) -> int | None:
    """Return the flag of the row at an instant, None where there is no row."""
    found = (stored.raw.times == time).nonzero()[0]
    return int(stored.raw.flags[found[0]]) if len(found) else None
