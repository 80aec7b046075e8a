"""Reads exports of Home Assistant's History panel: columns entity_id, state, last_changed."""

from collections.abc import Iterable, Mapping
import csv
from datetime import UTC, datetime
import math
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .home import GAPS, MINUTE, SECOND, Change, Downtime, Home, HomeEntity, Micros, Nature
from .simulated_home import micros

COLUMNS = {"entity_id", "state", "last_changed"}
_TRAITS: Mapping[str, tuple[Nature, dict[str, object]]] = {
    **dict.fromkeys(("mW", "W", "kW", "MW"), (Nature.LEVEL, {"device_class": "power", "state_class": "measurement"})),
    **dict.fromkeys(
        ("Wh", "kWh", "MWh"), (Nature.REGISTER, {"device_class": "energy", "state_class": "total_increasing"})
    ),
}
"""What a unit says of its sensor; with any other unit it is a level."""


class HistoryError(ValueError):
    """A file is no export of the History panel; the message says what is wrong and where."""


def read_rows(path: Path) -> list[Change]:
    """Return the rows of one export in the order of the file.

    Raises:
        HistoryError: a column or a value is not what it has to be.
    """
    try:
        # The panel writes a byte-order mark in front of the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := COLUMNS - set(reader.fieldnames or ()):
                raise HistoryError(f"{path}: the columns {', '.join(sorted(missing))} are missing")
            return [_row(path, line, row) for line, row in enumerate(reader, 2)]
    except (OSError, UnicodeDecodeError) as error:
        raise HistoryError(f"{path} cannot be read: {error}") from None


def _row(path: Path, line: int, row: Mapping[str, str | None]) -> Change:
    entity_id, state, changed = ((row[name] or "").strip() for name in ("entity_id", "state", "last_changed"))
    try:
        moment = datetime.fromisoformat(changed)
    except ValueError:
        raise HistoryError(f"{path}, line {line}: {changed!r} is not a time such as 2024-10-01T05:00:00.000Z") from None
    if entity_id.count(".") != 1:
        raise HistoryError(f"{path}, line {line}: {entity_id!r} is not an entity id such as sensor.house_power")
    return Change(micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC)), entity_id, state)


def join(rows: Iterable[Change]) -> list[Change]:
    """Return rows of several files in time order; of rows of one entity at one instant the last stays."""
    newest = {(row.time, row.entity_id): row for row in rows}
    return sorted(newest.values(), key=lambda row: (row.time, row.entity_id))


def history(paths: Iterable[Path], unit: str, timezone: str) -> Home:
    """Return the home that the exports tell of; `unit` is that of its numbers.

    It is watched from the first row to the last: the last value holds until then.

    Raises:
        HistoryError: a file cannot be used, or there is no such time zone.
    """
    try:
        ZoneInfo(timezone)
    except ZoneInfoNotFoundError, ValueError:
        raise HistoryError(f"there is no time zone {timezone!r}; name one such as America/Chicago") from None
    read = [row for path in paths for row in read_rows(path)]
    changes = join(read)
    if not changes or changes[-1].time == changes[0].time:
        raise HistoryError("the history holds no stretch of time: two rows at different times are needed")
    names = sorted({change.entity_id for change in changes})
    states: dict[str, set[str]] = {name: set() for name in names}
    for change in changes:
        states[change.entity_id].add(change.state)
    last = changes[-1].time
    return Home(
        title=f"history of {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}",
        timezone=timezone,
        begin=changes[0].time // SECOND * SECOND,
        end=_after_midnight(last, timezone),
        entities={name: _entity(name, states[name] - GAPS, unit) for name in names},
        changes=changes,
        # Nobody watches after the last row, and the hours and the day it is in end unwatched.
        # One microsecond on, because a value that comes at the very end of a run would still count.
        downtimes=(Downtime(last + 1, _after_midnight(last, timezone) - 4 * MINUTE),),
        sources_from=changes[0].time // SECOND * SECOND,
        notes=(f"{len(read)} rows read, {len(read) - len(changes)} of them twice",),
    )


def _entity(entity_id: str, states: set[str], unit: str) -> HomeEntity:
    if states and all(_is_number(state) for state in states):
        nature, traits = _TRAITS.get(unit, (Nature.LEVEL, {"state_class": "measurement"}))
        attributes = {"friendly_name": entity_id, "unit_of_measurement": unit, **traits}
        return HomeEntity(entity_id=entity_id, nature=nature, attributes=attributes)
    nature = Nature.SWITCH if states <= {"on", "off"} and not entity_id.startswith("sensor.") else Nature.WORDS
    return HomeEntity(entity_id=entity_id, nature=nature, attributes={"friendly_name": entity_id})


def _is_number(state: str) -> bool:
    try:
        return math.isfinite(float(state))
    except ValueError:
        return False


def _after_midnight(time: Micros, timezone: str) -> Micros:
    """Return five minutes after the midnight that follows."""
    zone = ZoneInfo(timezone)
    date = datetime.fromtimestamp(time / SECOND, zone).date()
    after = time // (15 * MINUTE) * 15 * MINUTE
    # In quarters of an hour, because some midnights do not exist.
    while datetime.fromtimestamp(after / SECOND, zone).date() <= date:
        after += 15 * MINUTE
    return after + 5 * MINUTE
