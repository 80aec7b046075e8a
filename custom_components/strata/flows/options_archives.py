"""The options page *Archives*: how and when files are written, how long they stay, and of what they are."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.helpers import selector as sel
from homeassistant.util import dt as dt_util
import probatio

from ..archive.manifest import ArchiveFile, ended, kept_since
from ..archive.parquet import COMPRESSIONS
from ..archive_set import archives_of
from ..const import CONF_ARCHIVES, CONF_COMPRESSION, CONF_EARLY, CONF_KEEP_YEARS, CONF_RAW_ROWS
from ..core.model import to_micros
from ..retention_preview import said_bytes
from .options_page import OptionsPage


class ArchivesPage(OptionsPage):
    """Asks what the archive is to be like."""

    async def async_step_archives(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for all of it on one page."""
        if user_input is not None:
            before = archives_of(self.config_entry.options)
            said = {key: value for key, value in user_input.items() if value is not None}
            # Archives that were added before each could say so for itself follow this.
            said |= {key: value for key, value in before.items() if key == CONF_EARLY}
            self._chosen = self._with((CONF_ARCHIVES,), {CONF_ARCHIVES: said})
            if losses := await self._losses(said.get(CONF_KEEP_YEARS)):
                return self.ask_first("archives_preview", losses)
            return self.async_create_entry(data=self._chosen)
        return self.async_show_form(
            step_id="archives",
            data_schema=self.add_suggested_values_to_schema(_schema(), archives_of(self.config_entry.options)),
        )

    async def async_step_archives_preview(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Save: the user has seen which files go."""
        return self.async_create_entry(data=self._chosen)

    async def _losses(self, years: float | None) -> Mapping[str, str] | None:
        """Return what deleting files after so many years would delete by now, None where that is nothing."""
        if years is None or self.config_entry.state is not ConfigEntryState.LOADED:
            return None
        worker, since = self.config_entry.runtime_data.worker, kept_since(years, to_micros(dt_util.utcnow()))
        files: list[ArchiveFile] = await worker.read(lambda reader: ended(reader.connection, since))
        if not files:
            return None
        size = said_bytes(sum(file.bytes for file in files))
        return {"files": str(len(files)), "size": size, "first": files[0].period, "last": files[-1].period}


def _schema() -> probatio.Schema:
    compression = sel.SelectSelectorConfig(options=list(COMPRESSIONS), mode=sel.SelectSelectorMode.DROPDOWN)
    years = sel.NumberSelectorConfig(
        min=1, max=100, step=1, mode=sel.NumberSelectorMode.BOX, unit_of_measurement="years"
    )
    return probatio.Schema(
        {
            probatio.Required(CONF_COMPRESSION, default=COMPRESSIONS[0]): sel.SelectSelector(compression),
            probatio.Required(CONF_RAW_ROWS, default=False): sel.BooleanSelector(),
            probatio.Optional(CONF_KEEP_YEARS): sel.NumberSelector(years),
        }
    )
