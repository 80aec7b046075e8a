"""The ladder, run through Strata's own options and action."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import TimeRange, to_micros
from custom_components.strata.store.base import Sizes
from custom_components.strata.store.reader import StoreReader

from .core import hub
from .findings import Findings
from .home import DAY

STEPS = ("raw", "five_minute", "hourly")


@dataclass(frozen=True, slots=True)
class Step:
    """What the action said of one step."""

    source_rows: int
    rows: int
    seconds: float
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LadderRun:
    """What each step moved, and what is in the store before and after."""

    steps: Mapping[str, Step]
    before: Sizes
    after: Sizes

    def as_json(self) -> dict[str, float]:
        """Return the report's `downsample`: raw rows that went, and the rows that stand for what went."""
        return {
            "raw_rows": self.steps["raw"].source_rows,
            "hourly_rows": self.steps["raw"].rows,
            "daily_rows": self.steps["hourly"].rows,
            "seconds": round(sum(step.seconds for step in self.steps.values()), 3),
        }


async def run_ladder(hass: HomeAssistant, findings: Findings) -> LadderRun:
    """Downsample every tier: first dry, then for good."""
    worker = hub(hass).runtime_data.worker
    await worker.flush()
    # Rows that wait are counted even where a later one of the same instant writes them over; compacted, each is one.
    await worker.write(lambda store: store.compact())
    new = -await worker.read(_from_now_on)
    before = await worker.read(lambda reader: reader.sizes())
    steps: dict[str, Step] = {}
    for tier in STEPS:
        foretold = await _downsample(hass, tier, dry_run=True)
        done = await _downsample(hass, tier, dry_run=False)
        steps[tier] = done
        same = foretold.source_rows == done.source_rows
        findings.check(
            f"the ladder moves {tier} rows it has proven",
            not done.problems and same,
            f"{done.source_rows:,} rows into {done.rows:,}"
            + ("" if same else f", but the dry run said {foretold.source_rows:,}")
            + "".join(f"; {problem}" for problem in done.problems[:3]),
        )
    await worker.flush()
    await worker.write(lambda store: store.compact())
    new += await worker.read(_from_now_on)
    after = await worker.read(lambda reader: reader.sizes())
    _prove_gone(findings, steps, before, after, new)
    return LadderRun(steps, before, after)


def _from_now_on(reader: StoreReader) -> int:
    """Return how many rows there are of the instant at which the clock stands, and of those to come."""
    now = to_micros(dt_util.utcnow())
    return sum(len(rows) for rows in reader.raw_all(TimeRange(now, now + 40 * DAY)).values())


async def _downsample(hass: HomeAssistant, tier: str, *, dry_run: bool) -> Step:
    answer: Any = await hass.services.async_call(
        DOMAIN, "downsample", {"tier": tier, "dry_run": dry_run}, blocking=True, return_response=True
    )
    return Step(answer["source_rows"], answer["rows"], answer["seconds"], tuple(answer["problems"]))


def _prove_gone(findings: Findings, steps: Mapping[str, Step], before: Sizes, after: Sizes, new: int) -> None:
    """Check that a tier has lost what was moved and nothing else; `new` rows came meanwhile."""
    left = {tier: before.tiers[tier].rows - step.source_rows for tier, step in steps.items()}
    left["raw"] += new
    left["daily"] = before.tiers["daily"].rows
    wrong = [
        f"{tier}: {after.tiers[tier].rows} left, not {rows}"
        for tier, rows in left.items()
        if after.tiers[tier].rows != rows
    ]
    seen = ", ".join(f"{tier} {after.tiers[tier].rows:,}" for tier in before.tiers)
    findings.check("exactly what was moved is gone", not wrong, "; ".join([f"left: {seen}", *wrong]))
