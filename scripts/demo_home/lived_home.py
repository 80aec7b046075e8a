"""The demo's second home: it has lived for a year, and is asked what was unusual, what it used, and what it takes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import numpy as np

from custom_components.strata.const import DOMAIN, STORE_FILE, STORE_FOLDER

from .core import add_archive, add_hub, boot, hub
from .findings import Findings
from .home import DAY, HOUR, MINUTE, SECOND, Home, HomeEntity, Nature
from .lived_year import TIMEZONE, LivedYear, sort_of, unit_of, write_year

LADDER = ("raw", "five_minute", "hourly")
JUDGED_DAYS = 21
FALSE_ALARMS_A_WEEK = 0.12
"""Episodes per entity and week that may be about nothing, numbers and events alike."""
_LATE = 2 * DAY
"""How long after a fault its traces may still stand out: in a mean over a day, in a level that has returned."""
_VIEW = "daily_energy_by_device"


@dataclass(slots=True)
class LivedSeen:
    """What the second home showed, as the report says it."""

    anomalies: dict[str, Any] = field(default_factory=dict)
    views: dict[str, Any] = field(default_factory=dict)
    storage: dict[str, Any] = field(default_factory=dict)
    archive: dict[str, Any] = field(default_factory=dict)
    restore: dict[str, Any] = field(default_factory=dict)


def home_of(year: LivedYear) -> Home:
    """Return the home as the demo's core knows homes; nothing more happens in it."""
    entities = {entity_id: _entity(entity_id) for entity_id in (*year.means, *year.counts)}
    title = f"a home that has lived for a year, {len(entities)} entities"
    return Home(
        title=title,
        timezone=TIMEZONE,
        begin=year.end,
        end=year.end,
        entities=entities,
        changes=[],
        sources_from=year.end,
    )


def _entity(entity_id: str) -> HomeEntity:
    sort, unit = sort_of(entity_id), unit_of(entity_id)
    attributes: dict[str, object] = {
        "friendly_name": entity_id.partition(".")[2].replace("_", " ").capitalize(),
        "device_class": sort.device_class,
    }
    if unit:
        attributes |= {"unit_of_measurement": unit, "state_class": "measurement"}
    nature = Nature.LEVEL if unit else Nature.SWITCH
    return HomeEntity(entity_id=entity_id, nature=nature, attributes=attributes, area=sort.area)


async def live_on(folder: Path, year: LivedYear, findings: Findings) -> LivedSeen:
    """Put the year into the store of a new Home Assistant, add Strata, and look at what it makes of it."""
    home = home_of(year)
    hass = await boot(folder, home, {})
    try:
        registry = er.async_get(hass)
        known = {entity_id: registry.async_get(entity_id) for entity_id in home.entities}
        identities = {name: (entry.id, entry.area_id or "") for name, entry in known.items() if entry}
        before = await asyncio.to_thread(write_year, year, folder / STORE_FOLDER / STORE_FILE, identities)
        await hass.async_start()
        for entity_id, entity in home.entities.items():
            hass.states.async_set(entity_id, _last(year, entity_id), dict(entity.attributes))
        await add_hub(hass)
        await hass.async_block_till_done()
        seen = LivedSeen()
        seen.anomalies = await _anomalies(hass, year, findings)
        seen.views = await _views(hass, year, findings)
        seen.archive = await _archive(hass, folder / "archive", year, findings)
        seen.restore = await _restore(hass, year, findings)
        seen.storage = await _storage(hass, year, before, findings)
        return seen
    finally:
        await hass.async_stop(force=True)


def _last(year: LivedYear, entity_id: str) -> str:
    if entity_id not in year.means:
        return "off"
    known = year.means[entity_id][~np.isnan(year.means[entity_id])]
    return f"{known[-1]:g}"


async def _call(hass: HomeAssistant, action: str, **data: object) -> Any:
    return await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)


async def _anomalies(hass: HomeAssistant, year: LivedYear, findings: Findings) -> dict[str, Any]:
    """Scan all that is watched over the last three weeks, and compare with what was planted."""
    entities = [*year.means, *year.counts]
    answer = await _call(hass, "scan_anomalies", entities=entities, lookback_hours=JUDGED_DAYS * 24)
    episodes = [
        (each["entity_id"], _micros(each["since"]), _micros(each["until"]) if each["until"] else year.end, each)
        for entity in answer["entities"]
        for each in entity["episodes"]
    ]
    found: list[dict[str, Any]] = []
    missed: list[dict[str, Any]] = []
    explained: set[int] = set()
    for fault in year.planted:
        own = [
            number
            for number, (entity_id, start, end, _) in enumerate(episodes)
            if entity_id == fault.entity_id and start < fault.end + _LATE and end > fault.start
        ]
        explained.update(own)
        told = {"entity_id": fault.entity_id, "planted": fault.kind, "said": [episodes[n][3]["kind"] for n in own]}
        (found if own else missed).append(told)
    wrong = [episodes[number] for number in range(len(episodes)) if number not in explained]
    # What the house draws in all shows what one of its devices does wrong.
    wrong = [each for each in wrong if each[0] != "sensor.house_power" or not _in_a_fault(year, each[1], each[2])]
    weeks = len(entities) * JUDGED_DAYS / 7
    bar = FALSE_ALARMS_A_WEEK * weeks
    findings.check(
        "anomalies: every planted fault is found",
        not missed,
        f"{len(found)} of {len(year.planted)}" + "".join(f"; missed {each['planted']}" for each in missed),
    )
    findings.check(
        "anomalies: the rest of the home stays quiet",
        len(wrong) <= bar,
        f"{len(wrong)} episodes about nothing in {weeks:.0f} entity-weeks, {bar:.0f} allowed",
    )
    return {
        "method": answer["method"],
        "sensitivity": answer["sensitivity"],
        "entities": len(entities),
        "entity_weeks": round(weeks, 1),
        "planted": len(year.planted),
        "found": found,
        "missed": missed,
        "false_alarms": [{"entity_id": each[0], "since": each[3]["since"], "text": each[3]["text"]} for each in wrong],
    }


def _in_a_fault(year: LivedYear, start: int, end: int) -> bool:
    return any(start < fault.end + _LATE and end > fault.start for fault in year.planted)


async def _views(hass: HomeAssistant, year: LivedYear, findings: Findings) -> dict[str, Any]:
    """Ask for a week of energy by device, and add it up independently."""
    worker = hub(hass).runtime_data.worker
    # Days that have changed are worked out a few at a time; a year of them has.
    while (await worker.write(lambda store: store.refresh_views(year.end, most_days=60))).waiting:
        pass
    last = datetime.fromtimestamp(year.end / SECOND, ZoneInfo(TIMEZONE)).date()
    days = [last - timedelta(days=back) for back in range(7, 0, -1)]
    rows = (
        await _call(
            hass, "query_view", view=_VIEW, start=days[0].isoformat(), end=(days[-1] + timedelta(days=1)).isoformat()
        )
    )["rows"]
    kwh = {(row["entity_id"], str(row["date"])): row["total_kwh"] for row in rows}
    devices = [entity_id for entity_id in year.means if unit_of(entity_id) == "W"]
    worst, compared = 0.0, 0
    for entity_id in devices:
        for day in days:
            truth = _kwh(year, entity_id, day)
            said = kwh.get((entity_id, day.isoformat()))
            if said is None:
                worst = max(worst, float(truth > 0))
                continue
            compared += 1
            worst = max(worst, abs(said - truth) / max(truth, 0.001))
    findings.check(
        "views: energy by device and day adds up",
        worst < 1e-6 and compared > 0,
        f"{compared} days of {len(devices)} devices, largest relative error {worst:.1e}",
    )
    return {"name": _VIEW, "rows": len(rows), "compared": compared, "max_relative_error": worst}


def _kwh(year: LivedYear, entity_id: str, day: date) -> float:
    """Return what a device used in a local day, from its 5-minute means; what was unknown counts for nothing."""
    zone = ZoneInfo(TIMEZONE)
    start, end = (
        _micros(datetime(at.year, at.month, at.day, tzinfo=zone).isoformat()) for at in (day, day + timedelta(days=1))
    )
    inside = (year.times >= start) & (year.times < end)
    return float(np.nansum(year.means[entity_id][inside]) * (5 * MINUTE / HOUR) / 1000)


async def _archive(hass: HomeAssistant, folder: Path, year: LivedYear, findings: Findings) -> dict[str, Any]:
    """Add a folder as an archive through its form, and archive every month that has ended."""
    await asyncio.to_thread(folder.mkdir)
    await add_archive(hass, folder)
    span = {"start": _told(year.begin), "end": _told(year.end)}
    answer = await _call(hass, "archive", **span)
    findings.check(
        "archive: every finished month is written and read back",
        not answer["problems"] and 0 < len(answer["files"]) == answer["copies_verified"],
        f"{len(answer['files'])} files, {answer['rows']:,} days of entities, {answer['bytes']:,} B"
        + "".join(answer["problems"][:2]),
    )
    return dict(answer)


async def _restore(hass: HomeAssistant, year: LivedYear, findings: Findings) -> dict[str, Any]:
    """Read a month of one device back, and compare each day's energy with the independent sum."""
    entity_id = "sensor.server_power"
    month = datetime.fromtimestamp(year.end / SECOND, ZoneInfo(TIMEZONE)).date().replace(day=1) - timedelta(days=1)
    first = month.replace(day=1)
    span = {"start": first.isoformat(), "end": (month + timedelta(days=1)).isoformat()}
    answer = await _call(hass, "restore", entities=[entity_id], **span)
    rows = [row for row in answer["rows"] if row["entity_id"] == entity_id]
    days = [datetime.fromisoformat(row["start"]).astimezone(ZoneInfo(TIMEZONE)).date() for row in rows]
    worst = max(
        (abs(row["daily_energy"] - _kwh(year, entity_id, day)) for row, day in zip(rows, days, strict=True)),
        default=float("inf"),
    )
    findings.check(
        "restore: the days of a month come back as they were",
        not answer["problems"] and worst < 1e-6,
        f"{len(rows)} days of {entity_id}, largest error {worst:.1e} kWh",
    )
    return {"files": answer["files"], "rows": len(rows), "max_error_kwh": worst}


def _told(moment: int) -> str:
    return datetime.fromtimestamp(moment / SECOND, UTC).isoformat()


async def _storage(hass: HomeAssistant, year: LivedYear, before: int, findings: Findings) -> dict[str, Any]:
    """Run the ladder with the default keeps, and measure what the year takes before and after."""
    problems: list[str] = []
    for tier in LADDER:
        answer = await _call(hass, "downsample", tier=tier)
        problems += answer["problems"]
    worker = hub(hass).runtime_data.worker
    sizes = await worker.read(lambda reader: reader.sizes())
    reduction = 100 * (1 - sizes.file_bytes / before)
    findings.check(
        "storage: the ladder proves a year and makes it small",
        not problems and reduction > 0,
        f"{before:,} B before, {sizes.file_bytes:,} B after: {reduction:.1f} % less" + "".join(problems[:2]),
    )
    return {
        "days": 365,
        "rows": year.rows,
        "bytes_before": before,
        "bytes_after": sizes.file_bytes,
        "reduction_pct": round(reduction, 1),
        "tiers": {name: {"rows": size.rows, "bytes": size.bytes} for name, size in sizes.tiers.items()},
    }


def _micros(text: str) -> int:
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def as_report(seen: LivedSeen | None) -> Mapping[str, object]:
    """Return what the report says of the second home; nothing where it did not come to that."""
    names = ("anomalies", "views", "archive", "restore", "storage")
    if seen is None:
        return dict.fromkeys(names)
    return {name: getattr(seen, name) for name in names}
