"""The proof that what happened in the home is what is stored of it."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from custom_components.strata.core.model import EXCLUDED_FLAGS
from custom_components.strata.store.reader import StoreReader
from custom_components.strata.store.worker import StoreWorker

from .comparison import Comparison
from .findings import Findings
from .home import GAPS, HOUR, NUMBERS, Home, HomeEntity, Micros, Nature
from .stored import StoredSeries, home_series, read_series, value_at
from .truth import Bucket, Told, add_up, borders, news, told_by_entity

TIERS = ("hourly", "daily")


@dataclass(frozen=True, slots=True)
class Truth:
    """What happened: by entity what was told, and what each hour and each day adds up to."""

    told: Mapping[str, list[Told]]
    hours: Mapping[str, list[Bucket]]
    days: Mapping[str, list[Bucket]]

    def of_tier(self, tier: str) -> Mapping[str, list[Bucket]]:
        """Return the buckets of `hourly` or `daily`."""
        return self.hours if tier == "hourly" else self.days


def tell_truth(home: Home, told: list[Told], now: Micros) -> Truth:
    """Add up every hour and day that is over."""
    hours, days = borders(home.timezone, home.begin, now)
    apart = told_by_entity(told, home)

    def closed(edges: list[Micros]) -> dict[str, list[Bucket]]:
        over = [edge for edge in edges if edge <= now]
        if len(over) < 2:
            return {name: [] for name in apart}
        return {name: _added(home.entities[name], listed, over) for name, listed in apart.items()}

    return Truth(apart, closed(hours), closed(days))


def _added(entity: HomeEntity, told: list[Told], edges: list[Micros]) -> list[Bucket]:
    inside = [one for one in told if one.time < edges[-1]]
    return add_up(entity, inside, edges)


async def read_all(worker: StoreWorker, home: Home, findings: Findings) -> dict[str, StoredSeries]:
    """Read what is stored of each entity; each has to have one series."""
    found = home_series(worker, home)
    several = [name for name, series in found.items() if len(series) > 1]
    missing = [name for name, series in found.items() if not series]
    findings.check(
        "every entity has one series for life",
        not several and not missing,
        f"{len(found)} entities" if not several + missing else f"several: {several[:3]}, none: {missing[:3]}",
    )
    stored: dict[str, StoredSeries] = {}
    for name, listed in found.items():
        if listed:
            stored[name] = await worker.read(_reading(listed[0]))
    return stored


def _reading(series: object) -> Callable[[StoreReader], StoredSeries]:
    return lambda reader: read_series(reader, series, TIERS)  # type: ignore[arg-type]


def prove_rows(truth: Truth, stored: Mapping[str, StoredSeries], findings: Findings) -> tuple[int, int]:
    """Check that each change is one row; return how many changes were news, and how many rows there are."""
    fired = {name: news(told) for name, told in truth.told.items()}
    rows = {name: len(one.raw) for name, one in stored.items()}
    apart = [f"{name}: {count} changes, {rows.get(name, 0)} rows" for name, count in fired.items()
             if count != rows.get(name, 0)]  # fmt: skip
    total, kept = sum(fired.values()), sum(rows.values())
    seen = f"{total:,} changes that were news, {kept:,} rows"
    findings.check("every change is stored once", not apart, "; ".join([seen, *apart[:3]]))
    return total, kept


def prove_faults(truth: Truth, stored: Mapping[str, StoredSeries], findings: Findings) -> None:
    """Check that readings which cannot be true are kept with a flag, and no others are."""
    planted = {
        (name, one.time) for name, told in truth.told.items() for one in told if one.change and one.change.faulty
    }
    missed = [name for name, time in sorted(planted) if (value_at(stored[name], time) or 0) not in EXCLUDED_FLAGS]
    flags: Counter[int] = Counter()
    for one in stored.values():
        flags.update(one.raw.flags.tolist())
    flagged = sum(flags[int(flag)] for flag in EXCLUDED_FLAGS)
    findings.check(
        "impossible readings are kept, flagged and left out",
        not missed and flagged == len(planted),
        f"{len(planted)} planted, {flagged} flagged" + (f", not flagged: {missed}" if missed else ""),
    )


def prove_tiers(
    home: Home, truth: Truth, stored: Mapping[str, StoredSeries], findings: Findings, *, since: Mapping[str, Micros]
) -> dict[str, Comparison]:
    """Compare every hour and day from `since` on with the truth."""
    comparisons = {}
    for tier in TIERS:
        comparison = comparisons[tier] = Comparison()
        for name, true in truth.of_tier(tier).items():
            due = [bucket for bucket in true if bucket.start >= since.get(tier, 0)]
            kept = stored[name].tiers[tier] if name in stored else []
            comparison.add(home.entities[name], due, kept)
        what = "hour" if tier == "hourly" else "day"
        when = "" if not since else ", after the ladder has run"
        findings.check(f"each {what} adds up{when}", not comparison.wrong, comparison.summary)
    return comparisons


def prove_downtime(home: Home, truth: Truth, stored: Mapping[str, StoredSeries], findings: Findings) -> None:
    """Check that a whole hour without Home Assistant is uncovered in every series, not held."""
    dark = [
        bucket.start
        for bucket in next(iter(truth.hours.values()), [])
        if any(down.stop <= bucket.start and bucket.end <= down.start for down in home.downtimes)
    ]
    held = [
        name
        for name, one in stored.items()
        for bucket in one.tiers["hourly"]
        if bucket.start in dark and bucket.covered > 0
    ]
    if dark:
        seen = f"{len(dark)} hours in {len(stored)} series" + (f", held in {held[:3]}" if held else "")
        findings.check("hours while Home Assistant was down are uncovered", not held, seen)


def prove_clock_change(home: Home, truth: Truth, stored: Mapping[str, StoredSeries], findings: Findings) -> None:
    """Check that the days on which the clocks change have as many hours as they have."""
    lengths = Counter((bucket.end - bucket.start) // HOUR for bucket in next(iter(truth.days.values()), []))
    odd = {hours: count for hours, count in lengths.items() if hours != 24}
    if not odd:
        return
    found = Counter((bucket.end - bucket.start) // HOUR for bucket in next(iter(stored.values())).tiers["daily"])
    seen = ", ".join(f"{count} day of {hours} hours" for hours, count in sorted(odd.items()))
    findings.check("the day the clocks change has its own length", found == lengths, seen)


def prove_last(worker: StoreWorker, home: Home, truth: Truth, findings: Findings) -> None:
    """Check that the newest value of each entity is known, however old it is."""
    wrong = []
    for name, series in home_series(worker, home).items():
        good = [one.change for one in truth.told[name] if one.change and not one.change.faulty]
        known = next((change for change in reversed(good) if change.state not in GAPS), None)
        last = worker.last(series[0]) if series else None
        if known is None:
            continue
        if last is None or not _same(home.entities[name], known.state, last.value, last.text):
            wrong.append(f"{name}: {last}, not {known.state}")
    seen = "; ".join(wrong[:3]) if wrong else f"{len(home.entities)} entities"
    findings.check("the newest value of every entity is known", not wrong, seen)


def _same(entity: HomeEntity, state: str, value: float | None, text: str | None) -> bool:
    if entity.nature in NUMBERS:
        return value == float(state)
    if entity.nature is Nature.SWITCH:
        return value == float(state != entity.off)
    return text == state
