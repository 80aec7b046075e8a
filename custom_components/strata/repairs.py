"""Ways out of the issues that the user can mend."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import cast, override

from homeassistant.components.repairs import ConfirmRepairFlow, FlowType, RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import SOURCE_RECONFIGURE, SubentryFlowContext
from homeassistant.core import HomeAssistant
import probatio

from .adoption_services import async_adopt_in_background
from .archive_issues import FAILING, OCCUPIED
from .const import DOMAIN, SUBENTRY_SOURCE
from .issues import UNAUTHORIZED
from .mirror_issues import HELD

_SHOWN = ("source", "mirror", "archive", "reason")


class _AboutOne(RepairsFlow):
    """Asks once, then mends what one source, mirror or archive complains of."""

    def __init__(self, data: Mapping[str, str]) -> None:
        """Take which one it is about."""
        super().__init__()
        self._about = data

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Say what it is about, then mend it."""
        if user_input is None:
            return self.async_show_form(
                step_id="confirm",
                data_schema=probatio.Schema({}),
                description_placeholders={key: self._about[key] for key in _SHOWN if key in self._about},
            )
        return await self._mend()

    @abstractmethod
    async def _mend(self) -> RepairsFlowResult:
        """Do what there is to do."""


class UnauthorizedRepairFlow(_AboutOne):
    """Leads from what a source or mirror refuses into the form that changes it."""

    @override
    async def _mend(self) -> RepairsFlowResult:
        """Open its form; the issue goes when it works again."""
        entry = self.hass.config_entries.async_get_entry(self._about["entry_id"])
        if entry is None or self._about["subentry_id"] not in entry.subentries:
            return self.async_abort(reason="source_removed")
        flow = await self.hass.config_entries.subentries.async_init(
            (entry.entry_id, self._about.get("subentry_type", SUBENTRY_SOURCE)),
            context=SubentryFlowContext(source=SOURCE_RECONFIGURE, subentry_id=self._about["subentry_id"]),
        )
        return self.async_create_entry(data={}, next_flow=(FlowType.CONFIG_SUBENTRIES_FLOW, flow["flow_id"]))


class OccupiedRepairFlow(_AboutOne):
    """Takes up the archive that the issue is about."""

    @override
    async def _mend(self) -> RepairsFlowResult:
        """Take it up in the background; the issue comes back when that fails."""
        target = self._about["subentry_id"]
        for entry in self.hass.config_entries.async_loaded_entries(DOMAIN):
            if target in entry.runtime_data.archives.running:
                async_adopt_in_background(self.hass, entry.runtime_data.archives, target)
                return self.async_create_entry(data={})
        return self.async_abort(reason="source_removed")


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow that mends the issue."""
    if issue_id.startswith((f"{UNAUTHORIZED}_", f"{HELD}_", f"{FAILING}_")):
        return UnauthorizedRepairFlow(cast("Mapping[str, str]", data))
    if issue_id.startswith(f"{OCCUPIED}_"):
        return OccupiedRepairFlow(cast("Mapping[str, str]", data))
    return ConfirmRepairFlow()
