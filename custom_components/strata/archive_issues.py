"""Repair issues of archives."""

from datetime import date

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN, SUBENTRY_ARCHIVE
from .issues import async_report_unknown

FAILING = "archive_failing"
OCCUPIED = "archive_occupied"
UNKNOWN = "archive_unknown"
PROBLEMS = "archive_problems"
HELD = "single_values_held"
_PROBLEMS_SHOWN = 3


@callback
def async_report_failing(hass: HomeAssistant, entry_id: str, subentry: ConfigSubentry, reason: str) -> None:
    """Say that a target does not take files; the fix leads into its reconfiguration."""
    _report(hass, FAILING, entry_id, subentry, reason)


@callback
def async_report_occupied(hass: HomeAssistant, entry_id: str, subentry: ConfigSubentry, reason: str) -> None:
    """Say that a target holds an archive of another store; the fix takes it up."""
    _report(hass, OCCUPIED, entry_id, subentry, reason)


def _report(hass: HomeAssistant, issue: str, entry_id: str, subentry: ConfigSubentry, reason: str) -> None:
    for other in {FAILING, OCCUPIED} - {issue}:
        ir.async_delete_issue(hass, DOMAIN, f"{other}_{subentry.subentry_id}")
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{issue}_{subentry.subentry_id}",
        is_fixable=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=issue,
        translation_placeholders={"archive": subentry.title, "reason": reason},
        data={
            "entry_id": entry_id,
            "subentry_id": subentry.subentry_id,
            "subentry_type": SUBENTRY_ARCHIVE,
            "archive": subentry.title,
            "reason": reason,
        },
    )


@callback
def async_report_unknown_archive(hass: HomeAssistant, subentry: ConfigSubentry, wanted: str) -> None:
    """Say that this version of Strata does not know a kind of target."""
    async_report_unknown(hass, UNKNOWN, subentry, wanted=wanted, archive=subentry.title)


@callback
def async_report_problems(hass: HomeAssistant, problems: list[str]) -> None:
    """Say what a run could not do, or take it back where there was nothing."""
    if not problems:
        ir.async_delete_issue(hass, DOMAIN, PROBLEMS)
        return
    shown = "\n".join(f"- {problem}" for problem in problems[:_PROBLEMS_SHOWN])
    ir.async_create_issue(
        hass,
        DOMAIN,
        PROBLEMS,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=PROBLEMS,
        translation_placeholders={"problems": shown, "count": str(len(problems))},
    )


@callback
def async_report_held(hass: HomeAssistant, since: date) -> None:
    """Say that single values pile up, because they wait for an archive and there is none."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        HELD,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=HELD,
        translation_placeholders={"since": since.isoformat()},
    )


@callback
def async_clear_held(hass: HomeAssistant) -> None:
    """Take back that single values pile up."""
    ir.async_delete_issue(hass, DOMAIN, HELD)


@callback
def async_clear_archive_issues(hass: HomeAssistant, subentry_id: str) -> None:
    """Take back what was said about a target."""
    for issue in (FAILING, OCCUPIED, UNKNOWN):
        ir.async_delete_issue(hass, DOMAIN, f"{issue}_{subentry_id}")
