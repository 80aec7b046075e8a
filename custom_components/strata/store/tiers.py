"""The tiers, and the rules a legal ladder of them obeys."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from ..core.model import MICROS_PER_SECOND

HOUR = 3600 * MICROS_PER_SECOND
DAY = 24 * HOUR

RAW, FIVE_MINUTE, HOURLY, DAILY = "raw", "five_minute", "hourly", "daily"
RAW_FROM, HOURLY_FROM = "raw_from", "hourly_from"
"""Watermarks of files of version 1: from when raw rows and hours of all series are kept."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One layer of history.

    `step` is the bucket length (None for single rows), `keep` how long buckets stay (None: until
    they are archived), `span` the period one stored chunk covers, in microseconds.
    """

    name: str
    number: int
    step: timedelta | None
    keep: timedelta | None
    span: int
    successor: str | None

    @property
    def table(self) -> str:
        """The table its chunks live in."""
        return f"{self.name}_chunk"


type Keeps = Mapping[int, Mapping[str, timedelta | None]]
"""By series and tier: how long rows are kept where that is not what the ladder says; None is for ever."""


class LadderError(ValueError):
    """Two tiers contradict each other; `finer` and `coarser` name them."""

    def __init__(self, message: str, finer: str, coarser: str) -> None:
        """Keep the offending pair."""
        super().__init__(message)
        self.finer, self.coarser = finer, coarser


@dataclass(frozen=True, slots=True)
class Ladder:
    """Tiers from fine to coarse."""

    tiers: tuple[Tier, ...]

    def __post_init__(self) -> None:
        """Check every neighbouring pair.

        Raises:
            LadderError: a step does not divide the next, or a coarser tier is kept shorter.
        """
        for finer, coarser in zip(self.tiers, self.tiers[1:], strict=False):
            _check_steps(finer, coarser)
            _check_keeps(finer, coarser)

    def __getitem__(self, name: str) -> Tier:
        """Return the tier called `name`; KeyError when there is none."""
        for tier in self.tiers:
            if tier.name == name:
                return tier
        raise KeyError(f"there is no tier {name!r}: choose one of {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names from fine to coarse."""
        return tuple(tier.name for tier in self.tiers)

    def keeping(self, keep: Mapping[str, timedelta | None]) -> Self:
        """Return the ladder with other keeps.

        Raises:
            LadderError: they contradict each other.
        """
        return type(self)(tuple(replace(tier, keep=keep.get(tier.name, tier.keep)) for tier in self.tiers))


def _check_steps(finer: Tier, coarser: Tier) -> None:
    if finer.step is None or coarser.step is None:
        return
    if coarser.step % finer.step:
        raise LadderError(
            f"{finer.name} buckets of {finer.step} do not divide {coarser.name} buckets of {coarser.step}",
            finer.name,
            coarser.name,
        )


def _check_keeps(finer: Tier, coarser: Tier) -> None:
    if coarser.keep is None:
        return
    if finer.keep is None or finer.keep >= coarser.keep:
        raise LadderError(
            f"{coarser.name} is kept {coarser.keep}, which has to be longer than {finer.name} ({finer.keep})",
            finer.name,
            coarser.name,
        )


DEFAULT_LADDER = Ladder(
    (
        Tier(RAW, 0, None, timedelta(days=7), HOUR, HOURLY),
        Tier(FIVE_MINUTE, 1, timedelta(minutes=5), timedelta(days=35), DAY, HOURLY),
        Tier(HOURLY, 2, timedelta(hours=1), timedelta(days=90), DAY, DAILY),
        Tier(DAILY, 3, timedelta(days=1), timedelta(days=365), 32 * DAY, None),
    )
)
"""Raw a week, 5 minutes five weeks, hours a quarter, days a year."""
