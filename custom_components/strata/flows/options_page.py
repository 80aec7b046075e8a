"""What the pages of the hub's options have in common."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlow
import probatio

from ..retention_preview import async_preview


class OptionsPage(OptionsFlow):
    """A page decides its own options and leaves those of the others as they are."""

    _chosen: dict[str, Any]
    """All options as they will be, while the user is asked whether that is meant."""

    def save(self, own: tuple[str, ...], options: Mapping[str, Any]) -> ConfigFlowResult:
        """Save a page; `own` are the names of what it decides, or beginnings of names that end in an underscore."""
        return self.async_create_entry(data=self._with(own, options))

    async def save_or_warn(self, own: tuple[str, ...], options: Mapping[str, Any]) -> ConfigFlowResult:
        """Save a page where that deletes no rows; otherwise say first what goes."""
        self._chosen = self._with(own, options)
        if self.config_entry.state is ConfigEntryState.LOADED:
            preview = await async_preview(self.hass, self.config_entry, self._chosen)
            if preview.rows:
                return self.ask_first("retention_preview", preview.as_text())
        return self.async_create_entry(data=self._chosen)

    async def async_step_retention_preview(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Save: the user has seen which rows go."""
        return self.async_create_entry(data=self._chosen)

    def ask_first(self, step: str, losses: Mapping[str, str]) -> ConfigFlowResult:
        """Say what saving `_chosen` deletes, and let the user go on to the step that saves it."""
        return self.async_show_form(
            step_id=step, data_schema=probatio.Schema({}), description_placeholders=losses, last_step=True
        )

    def _with(self, own: tuple[str, ...], options: Mapping[str, Any]) -> dict[str, Any]:
        """Return all options: those of this page, and those of others as they are."""
        beginnings = tuple(name for name in own if name.endswith("_"))
        kept = self.config_entry.options.items()
        others = {key: value for key, value in kept if key not in own and not key.startswith(beginnings)}
        return {**others, **options}
