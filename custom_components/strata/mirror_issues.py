"""Repair issues of mirrors."""

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN, SUBENTRY_MIRROR
from .issues import async_report_unknown
from .mirror.figures import MirrorNotice

HELD = "mirror_held"
BACKLOG_FULL = "mirror_backlog_full"
UNKNOWN = "mirror_unknown"


@callback
def async_report_mirror_held(
    hass: HomeAssistant, entry_id: str, subentry: ConfigSubentry, notice: MirrorNotice
) -> None:
    """Say that a server refuses points; the fix leads into the mirror's reconfiguration."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{HELD}_{subentry.subentry_id}",
        is_fixable=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=HELD,
        translation_placeholders={"mirror": subentry.title, "reason": notice.detail},
        data={
            "entry_id": entry_id,
            "subentry_id": subentry.subentry_id,
            "subentry_type": SUBENTRY_MIRROR,
            "mirror": subentry.title,
            "reason": notice.detail,
        },
    )


@callback
def async_clear_mirror_held(hass: HomeAssistant, subentry_id: str) -> None:
    """Take back that a server refuses points."""
    for issue in (HELD, UNKNOWN):
        ir.async_delete_issue(hass, DOMAIN, f"{issue}_{subentry_id}")


@callback
def async_clear_mirror_issues(hass: HomeAssistant, subentry_id: str) -> None:
    """Take back all that was said about a mirror that is gone."""
    async_clear_mirror_held(hass, subentry_id)
    ir.async_delete_issue(hass, DOMAIN, f"{BACKLOG_FULL}_{subentry_id}")


@callback
def async_report_backlog_full(hass: HomeAssistant, subentry: ConfigSubentry, notice: MirrorNotice) -> None:
    """Say that the oldest waiting points were given up; the user confirms it away."""
    placeholders = {"mirror": subentry.title, "rows": notice.detail}
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{BACKLOG_FULL}_{subentry.subentry_id}",
        is_fixable=True,
        is_persistent=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=BACKLOG_FULL,
        translation_placeholders=placeholders,
        data={**placeholders},
    )


@callback
def async_report_unknown_mirror(hass: HomeAssistant, subentry: ConfigSubentry, wanted: str) -> None:
    """Say that this version of Strata does not know a mirror's kind of server."""
    async_report_unknown(hass, UNKNOWN, subentry, wanted=wanted, mirror=subentry.title)
