"""The actions that archive, and that bring archived days back."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import islice
from time import monotonic
from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr, service
from homeassistant.util import dt as dt_util
import probatio

from .archive.hours import Hours
from .archive.report import ArchiveReport
from .archive.restore import Restorer, put_back, put_hours
from .archive.tables import SeriesBuckets, SeriesRows
from .archive_set import OPERATION_RESTORE, ArchiveSet
from .asking import asked_span
from .const import DOMAIN
from .core.model import Micros, TimeRange, from_micros, to_micros
from .keeping import LONGEST_KEEP
from .refusal import hub_of, refusal, store_failed
from .store.base import StoreError
from .store.operations import Operation
from .store.tiers import DAILY, DAY, HOURLY, RAW
from .store.words import answers_in_words
from .store.worker import StoreWorker

ATTR_TARGET = "target"
ATTR_START = "start"
ATTR_END = "end"
ATTR_DRY_RUN = "dry_run"
ATTR_ENTITIES = "entities"
ATTR_INTO = "into"
ATTR_CONTENT = "content"
ATTR_KEEP_DAYS = "keep_days"

SERVICE_ARCHIVE = "archive"
SERVICE_RESTORE = "restore"

INTO_ANSWER, INTO_STORE, INTO_STATISTICS, INTO_OWN_STATISTICS = "answer", "store", "statistics", "own_statistics"
INTO = (INTO_ANSWER, INTO_STORE, INTO_STATISTICS, INTO_OWN_STATISTICS)
CONTENTS = (DAILY, HOURLY, RAW)
"""Days, or of archived single values the hours they make, or those themselves."""
type Buckets = Callable[[TimeRange, frozenset[str] | None], Iterator[SeriesBuckets]]
_ROWS_ANSWERED = 10_000
"""Rows of one answer; who wants more asks for a shorter range, or reads the files."""
_SERIES_AT_ONCE = 50

ARCHIVE_SCHEMA = probatio.Schema(
    {
        probatio.Optional(ATTR_TARGET): cv.string,
        probatio.Optional(ATTR_START): cv.datetime,
        probatio.Optional(ATTR_END): cv.datetime,
        probatio.Optional(ATTR_DRY_RUN, default=False): cv.boolean,
    }
)
RESTORE_SCHEMA = probatio.Schema(
    {
        probatio.Required(ATTR_START): cv.datetime,
        probatio.Optional(ATTR_END): cv.datetime,
        probatio.Optional(ATTR_ENTITIES): cv.entity_ids,
        probatio.Optional(ATTR_CONTENT, default=DAILY): probatio.In(CONTENTS),
        probatio.Optional(ATTR_INTO, default=INTO_ANSWER): probatio.In(INTO),
        probatio.Optional(ATTR_KEEP_DAYS, default=30): probatio.All(cv.positive_int, probatio.Range(max=LONGEST_KEEP)),
    }
)


@callback
def async_setup_archive_services(hass: HomeAssistant) -> None:
    """Register the actions of archives."""
    service.async_register_admin_service(
        hass, DOMAIN, SERVICE_ARCHIVE, _async_archive, ARCHIVE_SCHEMA, SupportsResponse.OPTIONAL
    )
    service.async_register_admin_service(
        hass, DOMAIN, SERVICE_RESTORE, _async_restore, RESTORE_SCHEMA, SupportsResponse.OPTIONAL
    )


async def _async_archive(call: ServiceCall) -> ServiceResponse:
    """Archive what is past its time; with a range, what finished months it touches, and leave them here too."""
    data = hub_of(call.hass).runtime_data
    archives = data.archives
    if not archives.running:
        raise refusal("no_archive")
    only = named_target(call, archives)
    dry_run: bool = call.data[ATTR_DRY_RUN]
    try:
        await data.worker.flush()
        if ATTR_START in call.data or ATTR_END in call.data or only is not None:
            report = await archives.async_archive(asked_span(call.data), only=only, dry_run=dry_run)
        else:
            report = await archives.async_run(dry_run=dry_run)
    except StoreError as error:
        raise store_failed(error) from error
    return _as_answer(report)


def _as_answer(report: ArchiveReport) -> dict[str, Any]:
    return {
        "dry_run": report.dry_run,
        "periods": report.periods,
        "files": report.files,
        "rows": report.rows,
        "bytes": report.bytes,
        "copies_verified": report.verified,
        "rows_deleted": report.rows_deleted,
        "bytes_freed": report.bytes_freed,
        "seconds": round(report.seconds, 3),
        "problems": report.problems,
    }


def named_target(call: ServiceCall, archives: ArchiveSet) -> str | None:
    """Return the target the call names by device, title or subentry id, None where it names none.

    Raises:
        ServiceValidationError: there is none of that name.
    """
    name = call.data.get(ATTR_TARGET)
    if name is None:
        return None
    devices = dr.async_get(call.hass)
    for subentry_id, archive in archives.running.items():
        device = devices.async_get_device_by_identifier((DOMAIN, subentry_id), archive.config_entry.entry_id)
        if name in {subentry_id, archive.title, device.id if device else None}:
            return subentry_id
    raise refusal("no_such_archive", archive=name)


# Back


async def _async_restore(call: ServiceCall) -> ServiceResponse:
    """Bring back what the archive has of a range."""
    data = hub_of(call.hass).runtime_data
    if not data.archives.running:
        raise refusal("no_archive")
    into, content, when = call.data[ATTR_INTO], call.data[ATTR_CONTENT], asked_span(call.data)
    if content == RAW and into != INTO_ANSWER:
        raise refusal("raw_rows_only_as_answer")
    if into in {INTO_STATISTICS, INTO_OWN_STATISTICS} and "recorder" not in call.hass.config.components:
        raise refusal("no_recorder")
    entities = frozenset(call.data[ATTR_ENTITIES]) if ATTR_ENTITIES in call.data else None
    began, started = to_micros(dt_util.utcnow()), monotonic()
    work = _work(call, data.worker, into, content, when, entities)
    try:
        # What is being erased does not come back beside it.
        async with nullcontext() if into == INTO_ANSWER else data.erasing:
            answer, restorer = await data.archives.async_read(lambda restorer: (work(restorer), restorer), job=True)
    except StoreError as error:
        raise store_failed(error) from error
    if into == INTO_STORE:
        data.views.soon()
    report = restorer.report
    problems = list(dict.fromkeys([*report.problems, *answer.pop("problems", [])]))
    if entities is not None and not answer.get("truncated"):
        problems += [f"{name}: the archive has nothing of it there" for name in sorted(entities - report.entities)]
    await data.archives.async_record(
        Operation(OPERATION_RESTORE, began, monotonic() - started, report.rows, 0, tuple(problems))
    )
    return {"files": list(dict.fromkeys(report.files)), **answer, "problems": problems}


def _work(
    call: ServiceCall,
    worker: StoreWorker,
    into: str,
    content: str,
    when: TimeRange,
    entities: frozenset[str] | None,
) -> Callable[[Restorer], dict[str, Any]]:
    hass, timezone = call.hass, worker.timezone
    if into == INTO_ANSWER:
        return lambda restorer: _answer(restorer, content, _buckets(restorer, content, timezone), when, entities)
    if into == INTO_STORE and content == HOURLY:
        return lambda restorer: _put_hours(restorer, when, entities, timezone)
    if into == INTO_STORE:
        until = to_micros(dt_util.utcnow()) + call.data[ATTR_KEEP_DAYS] * DAY
        return lambda restorer: _put_back(restorer, when, entities, until)

    def statistics(restorer: Restorer) -> dict[str, Any]:
        # The recorder is an integration of its own, and may not be there.
        from .archive_statistics import StatisticsImport

        hours = _buckets(restorer, content, timezone) if content == HOURLY else None
        report = StatisticsImport(hass, restorer, own=into == INTO_OWN_STATISTICS, hours=hours).run(when, entities)
        return {"statistics": dict(sorted(report.statistics.items())), "problems": report.problems}

    return statistics


def _buckets(restorer: Restorer, content: str, timezone: str) -> Buckets:
    """Return what gives the days of a range, or the hours that single values make."""
    return restorer.days if content == DAILY else lambda when, entities: Hours(restorer, timezone).run(when, entities)


def _answer(
    restorer: Restorer, content: str, told_by: Buckets, when: TimeRange, entities: frozenset[str] | None
) -> dict[str, Any]:
    if content == RAW:
        told = (row for part in restorer.events(when, entities) for row in _raw_rows(part))
    else:
        told = (row for part in told_by(when, entities) for row in _bucket_rows(part, content))
    rows = list(islice(told, _ROWS_ANSWERED))
    return {"rows": rows, "truncated": next(told, None) is not None}


def _named(part: SeriesBuckets | SeriesRows) -> dict[str, Any]:
    series = part[0]
    named: dict[str, Any] = {"entity_id": series.labels.get("entity_id"), "unit": series.unit}
    if named["entity_id"] is None:
        named |= {"measurement": series.key.measurement, "field": series.key.field, "tags": series.key.tags}
    return named


def _bucket_rows(part: SeriesBuckets, tier: str) -> Iterator[dict[str, Any]]:
    series, rolled = part
    for row in answers_in_words(rolled, tier, series.unit):
        yield {**_named(part), **row}


def _raw_rows(part: SeriesRows) -> Iterator[dict[str, Any]]:
    times, values, texts, flags = part[1]
    for time, value, text, flag in zip(times.tolist(), values.tolist(), texts, flags.tolist(), strict=True):
        known = None if value != value else value  # noqa: PLR0124 - NaN
        yield {**_named(part), "time": from_micros(time).isoformat(), "value": known, "state": text, "flag": flag}


def _put_back(restorer: Restorer, when: TimeRange, entities: frozenset[str] | None, until: Micros) -> dict[str, Any]:
    days = restorer.days(when, entities)
    count = 0
    hold: tuple[TimeRange, Micros] | None = (when, until)
    while batch := list(islice(days, _SERIES_AT_ONCE)):
        count += restorer.access.write(partial(put_back, parts=batch, hold=hold))
        hold = None
    return {"days_put_back": count, "kept_until": from_micros(until).isoformat(timespec="seconds")}


def _put_hours(restorer: Restorer, when: TimeRange, entities: frozenset[str] | None, timezone: str) -> dict[str, Any]:
    hours = Hours(restorer, timezone).run(when, entities)
    restorer.access.write(lambda store: store.begin_import())
    count = 0
    while batch := list(islice(hours, _SERIES_AT_ONCE)):
        count += restorer.access.write(partial(put_hours, parts=batch))
    return {"hours_put_back": count}
