"""What runs while the hub is set up, and how its background work is kept alive."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import ConfigEntry

from .const import CONF_KEEP, LOGGER
from .store.tiers import DEFAULT_LADDER, Ladder

if TYPE_CHECKING:
    from .anomalies.coordinator import AnomalyCoordinator
    from .archive_set import ArchiveSet
    from .coordinator import SourceCoordinator
    from .imports.job import Progress
    from .ingest import Ingest
    from .mirror_set import MirrorSet
    from .outdoor import OutdoorTemperature
    from .retention import Retention
    from .retention_watch import RetentionWatch
    from .source_set import SourceSet
    from .store.hold import Hold
    from .store.worker import StoreWorker
    from .store_coordinator import StoreCoordinator
    from .view_refresh import ViewRefresh
    from .window_set import WindowSet

type StrataConfigEntry = ConfigEntry[StrataData]

FIRST_RESTART_AFTER = 1.0
LONGEST_RESTART_AFTER = 300.0
"""Seconds between the restarts of background work that keeps failing."""


@dataclass(kw_only=True)
class StrataData:
    """What runs while the hub is set up."""

    worker: StoreWorker
    ingest: Ingest
    source_set: SourceSet
    mirror_set: MirrorSet
    window_set: WindowSet
    store: StoreCoordinator
    anomalies: AnomalyCoordinator
    hold: Hold
    outdoor: OutdoorTemperature
    archives: ArchiveSet
    retention: Retention
    retention_watch: RetentionWatch = field(init=False)
    views: ViewRefresh
    erasing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while entities are erased, and while anything is brought back that may be theirs."""
    importing: Progress | None = None
    """How far the import is that goes on, or how the last one since the start ended."""
    options: Mapping[str, Any]
    """The options in force."""
    hub_device_id: str
    tasks: list[asyncio.Task[None]]
    """The supervised background work."""

    @property
    def sources(self) -> Mapping[str, SourceCoordinator]:
        """The running sources by subentry id."""
        return self.source_set.running


def ladder_of(options: Mapping[str, Any]) -> Ladder:
    """Return the tiers with the keeps the options ask for, in days by tier name; 0 days are for ever.

    Raises:
        LadderError: they contradict each other.
    """
    keeps: Mapping[str, float] = options.get(CONF_KEEP, {})
    return DEFAULT_LADDER.keeping({tier: timedelta(days=days) if days else None for tier, days in keeps.items()})


async def supervise(
    name: str, work: Callable[[], Awaitable[None]], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Run `work` for ever: whatever it raises is logged, and it starts again after a growing wait.

    Work that ran well for longer than the longest wait starts again with the shortest one.
    """
    wait = FIRST_RESTART_AFTER
    while True:
        began = monotonic()
        try:
            await work()
        except Exception:  # noqa: BLE001 - whatever it is, recording has to go on
            LOGGER.exception("The %s stopped and starts again in about %.0f s", name, wait)
        if monotonic() - began > LONGEST_RESTART_AFTER:
            wait = FIRST_RESTART_AFTER
        await sleep(wait)
        wait = min(2 * wait, LONGEST_RESTART_AFTER)
