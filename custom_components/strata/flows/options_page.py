"""What the pages of the hub's options have in common."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow


class OptionsPage(OptionsFlow):
    """A page decides its own options and leaves those of the others as they are."""

    def save(self, own: tuple[str, ...], options: Mapping[str, Any]) -> ConfigFlowResult:
        """Save a page; `own` are the names of what it decides, or beginnings of names that end in an underscore."""
        beginnings = tuple(name for name in own if name.endswith("_"))
        kept = self.config_entry.options.items()
        others = {key: value for key, value in kept if key not in own and not key.startswith(beginnings)}
        return self.async_create_entry(data={**others, **options})
