"""Repair issues: what only the user can mend, or has to know."""

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .store.base import NoticeKind, StoreNotice

UNAUTHORIZED = "source_unauthorized"
UNKNOWN = "source_unknown"
STORE_TOO_NEW = "store_too_new"

_NOTICE_ISSUES = {
    NoticeKind.DISK_FULL: (ir.IssueSeverity.CRITICAL, False),
    NoticeKind.SET_ASIDE: (ir.IssueSeverity.ERROR, True),
    NoticeKind.ROWS_DROPPED: (ir.IssueSeverity.ERROR, True),
    NoticeKind.MAINTENANCE_FAILED: (ir.IssueSeverity.WARNING, True),
}
"""Severity, and whether the issue is confirmed away by the user (and so survives a restart)."""

_NOTICE_SOLVES = {
    NoticeKind.DISK_OK: (NoticeKind.DISK_FULL,),
    NoticeKind.MAINTENANCE_OK: (NoticeKind.MAINTENANCE_FAILED,),
}


@callback
def async_report_notice(hass: HomeAssistant, notice: StoreNotice) -> None:
    """Turn what the store has to say into a repair issue, or take one back."""
    for solved in _NOTICE_SOLVES.get(notice.kind, ()):
        ir.async_delete_issue(hass, DOMAIN, solved)
    if notice.kind not in _NOTICE_ISSUES:
        return
    severity, confirmed = _NOTICE_ISSUES[notice.kind]
    ir.async_create_issue(
        hass,
        DOMAIN,
        notice.kind,
        is_fixable=confirmed,
        is_persistent=confirmed,
        severity=severity,
        translation_key=notice.kind,
        translation_placeholders={"detail": notice.detail},
        data={"detail": notice.detail},
    )


@callback
def async_report_store_too_new(hass: HomeAssistant, detail: str) -> None:
    """Say that the store's file belongs to a newer version."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        STORE_TOO_NEW,
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key=STORE_TOO_NEW,
        translation_placeholders={"detail": detail},
    )


@callback
def async_clear_store_issues(hass: HomeAssistant) -> None:
    """Take back what was said of the store before it was opened now; what is still so is said again."""
    for issue in (STORE_TOO_NEW, NoticeKind.DISK_FULL, NoticeKind.MAINTENANCE_FAILED):
        ir.async_delete_issue(hass, DOMAIN, issue)


@callback
def async_report_unauthorized(hass: HomeAssistant, entry_id: str, subentry: ConfigSubentry) -> None:
    """Say that a source's credentials were refused; the fix leads into its reconfiguration."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{UNAUTHORIZED}_{subentry.subentry_id}",
        is_fixable=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=UNAUTHORIZED,
        translation_placeholders={"source": subentry.title},
        data={"entry_id": entry_id, "subentry_id": subentry.subentry_id, "source": subentry.title},
    )


@callback
def async_report_unknown(
    hass: HomeAssistant, issue: str, subentry: ConfigSubentry, *, wanted: str, **named: str
) -> None:
    """Say that this version of Strata does not know what a subentry needs; `named` is the subentry in the text."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{issue}_{subentry.subentry_id}",
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key=issue,
        translation_placeholders={**named, "wanted": wanted},
    )


@callback
def async_report_unknown_source(hass: HomeAssistant, subentry: ConfigSubentry, wanted: str) -> None:
    """Say that this version of Strata does not know a source's role or provider."""
    async_report_unknown(hass, UNKNOWN, subentry, wanted=wanted, source=subentry.title)


@callback
def async_clear_all(hass: HomeAssistant) -> None:
    """Take back everything that was said."""
    for domain, issue_id in [*ir.async_get(hass).issues]:
        if domain == DOMAIN:
            ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def async_clear_source_issues(hass: HomeAssistant, subentry_id: str) -> None:
    """Take back what was said about a source."""
    for issue in (UNAUTHORIZED, UNKNOWN):
        ir.async_delete_issue(hass, DOMAIN, f"{issue}_{subentry_id}")
