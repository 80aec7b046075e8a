"""Taking up an archive of another store, the Home Assistant side."""

from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv, service
import probatio

from .archive.adopt import AdoptReport
from .archive.errors import ArchiveError
from .archive_issues import async_report_problems
from .archive_services import ATTR_DRY_RUN, ATTR_TARGET, named_target
from .archive_set import ArchiveSet
from .const import DOMAIN, LOGGER
from .dependencies import DependencyMissing
from .refusal import hub_of, refusal, store_failed
from .store.base import StoreError

SERVICE_ADOPT = "adopt_archive"

ADOPT_SCHEMA = probatio.Schema(
    {
        probatio.Optional(ATTR_TARGET): cv.string,
        probatio.Optional(ATTR_DRY_RUN, default=False): cv.boolean,
    }
)


@callback
def async_setup_adoption_services(hass: HomeAssistant) -> None:
    """Register the action."""
    service.async_register_admin_service(
        hass, DOMAIN, SERVICE_ADOPT, _async_adopt, ADOPT_SCHEMA, SupportsResponse.OPTIONAL
    )


async def _async_adopt(call: ServiceCall) -> ServiceResponse:
    """Take up what an archive holds that this store knows nothing of."""
    archives = hub_of(call.hass).runtime_data.archives
    if not archives.running:
        raise refusal("no_archive")
    target = named_target(call, archives)
    if target is None:
        if len(archives.running) > 1:
            raise refusal("which_archive")
        [target] = archives.running
    title = archives.running[target].title
    try:
        report = await archives.async_adopt(target, dry_run=call.data[ATTR_DRY_RUN])
    except StoreError as error:
        raise store_failed(error) from error
    except ArchiveError as error:
        raise refusal("archive_out_of_reach", archive=title, reason=str(error)) from error
    return _as_answer(report)


def _as_answer(report: AdoptReport) -> dict[str, Any]:
    return {
        "dry_run": report.dry_run,
        "files": report.files,
        "months": len(report.months),
        "raw_days": len(report.raw_days),
        "rows": report.rows,
        "bytes": report.bytes,
        "left_alone": report.left,
        "entities_not_here": report.waiting,
        "seconds": round(report.seconds, 3),
        "problems": report.problems,
    }


@callback
def async_adopt_in_background(hass: HomeAssistant, archives: ArchiveSet, target: str) -> None:
    """Take an archive up without waiting for it: it may be large, and far away. What goes wrong becomes an issue."""
    title = archives.running[target].title
    # Not before the repair that asks for it has ended, which takes its issue back.
    work = _in_background(hass, archives, target, title)
    hass.async_create_background_task(work, f"{DOMAIN} adopts {target}", eager_start=False)


async def _in_background(hass: HomeAssistant, archives: ArchiveSet, target: str, title: str) -> None:
    done = False
    try:
        report = await archives.async_adopt(target)
    except (ArchiveError, DependencyMissing, StoreError) as error:
        LOGGER.warning("The archive %s could not be taken up: %s", title, error)
        async_report_problems(hass, [f"{title}: {error}"])
    else:
        done = report.done
        async_report_problems(hass, report.problems)
    if not done and (archive := archives.running.get(target)) is not None:
        archive.async_say_again()
