"""The hub's options: a menu of pages.

A page is a class in a file of its own with a step named after it, and a line in `PAGES`.
"""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult

from .options_analysis import AnalysisPage
from .options_archives import ArchivesPage
from .options_history import HistoryPage
from .options_retention import RetentionPage

PAGES = ("history", "retention", "archives", "analysis")


class StrataOptionsFlow(HistoryPage, RetentionPage, ArchivesPage, AnalysisPage):
    """All pages behind one menu."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask which page."""
        return self.async_show_menu(step_id="init", menu_options=[*PAGES])
