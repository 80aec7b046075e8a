"""One archive target: where it is, what it holds, and whether it does what it should."""

from datetime import timedelta
from typing import override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .archive import manifest
from .archive.errors import Problem, TargetError
from .archive.manifest import Figures
from .archive.targets import TARGETS
from .archive.targets.base import Target
from .archive_issues import async_clear_archive_issues, async_report_failing, async_report_occupied
from .const import CONF_TARGET, DOMAIN, LOGGER
from .runtime import StrataConfigEntry
from .store.base import StoreError
from .store.worker import StoreWorker

INTERVAL = timedelta(hours=1)


class ArchiveCoordinator(DataUpdateCoordinator[Figures]):
    """Shows the target of one subentry; `ArchiveSet` works with all of them."""

    config_entry: StrataConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: StrataConfigEntry, subentry: ConfigSubentry, worker: StoreWorker
    ) -> None:
        """Prepare.

        Raises:
            KeyError: this version does not know the kind of target.
        """
        super().__init__(hass, LOGGER, config_entry=entry, name=subentry.title, update_interval=INTERVAL)
        self.subentry = subentry
        self.configuration = (subentry.title, dict(subentry.data))
        self.kind: type[Target] = TARGETS[subentry.data[CONF_TARGET]]
        self.failure: str | None = None
        self._noted: TargetError | Exception | None = None
        self._worker = worker
        self.data = Figures()

    @property
    def subentry_id(self) -> str:
        """What the target is known by."""
        return self.subentry.subentry_id

    @property
    def title(self) -> str:
        """What the user calls it."""
        return self.subentry.title

    def target(self) -> Target:
        """Return the target; nothing is connected yet."""
        return self.kind.of(self.subentry.data)

    @callback
    def async_note(self, error: TargetError | Exception | None) -> None:
        """Take note of how the target did in a run; None where it did well."""
        self._noted = error
        if error is None:
            if self.failure is not None:
                LOGGER.info("The archive %s takes files again", self.title)
            self.failure = None
            async_clear_archive_issues(self.hass, self.subentry_id)
        else:
            if self.failure is None:
                LOGGER.warning("The archive %s fails, and nothing is deleted meanwhile: %s", self.title, error)
            self.failure = str(error)
            occupied = isinstance(error, TargetError) and error.problem is Problem.OCCUPIED
            report = async_report_occupied if occupied else async_report_failing
            report(self.hass, self.config_entry.entry_id, self.subentry, self.failure)

    @callback
    def async_say_again(self) -> None:
        """Say once more what is wrong: an issue goes when its repair ends, whatever comes of that."""
        if self._noted is not None:
            self.async_note(self._noted)

    @override
    async def _async_update_data(self) -> Figures:
        try:
            return await self._worker.read(lambda reader: manifest.figures(reader.connection, self.subentry_id))
        except StoreError as error:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="store_failed",
                translation_placeholders={"reason": str(error)},
            ) from error
