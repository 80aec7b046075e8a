"""The hub's form: it asks nothing, and leads straight into the form of the first source."""

from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    FlowType,
    OptionsFlow,
    SubentryFlowContext,
)
from homeassistant.core import callback
import probatio

from .const import DOMAIN, SUBENTRY_ARCHIVE, SUBENTRY_MIRROR, SUBENTRY_SOURCE, SUBENTRY_WINDOW, TITLE
from .flows.archive import ArchiveFlow
from .flows.mirror import MirrorFlow
from .flows.options import StrataOptionsFlow
from .flows.source import SourceFlow
from .flows.window import WindowFlow


class StrataConfigFlow(ConfigFlow, domain=DOMAIN):
    """Set up the hub."""

    VERSION = 1
    MINOR_VERSION = 1

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Confirm; the embedded store needs to know nothing."""
        if user_input is None:
            return self.async_show_form(step_id="user", data_schema=probatio.Schema({}))
        return self.async_create_entry(title=TITLE, data={})

    @override
    async def async_on_create_entry(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Go on with the first source, unless the hub itself does not run."""
        entry = result["result"]
        if entry.state is not ConfigEntryState.LOADED:
            return result
        source = await self.hass.config_entries.subentries.async_init(
            (entry.entry_id, SUBENTRY_SOURCE), context=SubentryFlowContext(source=SOURCE_USER)
        )
        result["next_flow"] = (FlowType.CONFIG_SUBENTRIES_FLOW, source["flow_id"])
        return result

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        """Return what can be added to the hub."""
        return {
            SUBENTRY_SOURCE: SourceFlow,
            SUBENTRY_MIRROR: MirrorFlow,
            SUBENTRY_ARCHIVE: ArchiveFlow,
            SUBENTRY_WINDOW: WindowFlow,
        }

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the form of the hub's options."""
        return StrataOptionsFlow()
