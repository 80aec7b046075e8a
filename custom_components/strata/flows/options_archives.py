"""The options page *Archives*: how files are written, how long they stay, and whether single rows are archived too."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.helpers import selector as sel
import probatio

from ..archive.parquet import COMPRESSIONS
from ..archive_set import archives_of
from ..const import CONF_ARCHIVES, CONF_COMPRESSION, CONF_KEEP_YEARS, CONF_RAW_ROWS
from .options_page import OptionsPage


class ArchivesPage(OptionsPage):
    """Asks what the archive is to be like."""

    async def async_step_archives(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for all of it on one page."""
        if user_input is not None:
            said = {key: value for key, value in user_input.items() if value is not None}
            return self.save((CONF_ARCHIVES,), {CONF_ARCHIVES: said})
        return self.async_show_form(
            step_id="archives",
            data_schema=self.add_suggested_values_to_schema(_schema(), archives_of(self.config_entry.options)),
        )


def _schema() -> probatio.Schema:
    compression = sel.SelectSelectorConfig(options=list(COMPRESSIONS), mode=sel.SelectSelectorMode.DROPDOWN)
    years = sel.NumberSelectorConfig(min=1, max=100, step=1, mode=sel.NumberSelectorMode.BOX)
    return probatio.Schema(
        {
            probatio.Required(CONF_COMPRESSION, default=COMPRESSIONS[0]): sel.SelectSelector(compression),
            probatio.Required(CONF_RAW_ROWS, default=False): sel.BooleanSelector(),
            probatio.Optional(CONF_KEEP_YEARS): sel.NumberSelector(years),
        }
    )
