"""What every source says now, as actions, REST and WebSocket answer it."""

from collections.abc import Mapping

from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from ..coordinator import SourceCoordinator
from ..core.model import FieldValue
from ..refusal import not_there
from ..runtime import StrataData
from ..sources import ROLES
from ..sources.base import Reading, Role

ROLE_KEYS = tuple(role.key for role in ROLES)


def answer_for_all(data: StrataData, role: str | None = None) -> JsonObjectType:
    """Return what each source (of `role`) says, by role and rank."""
    wanted = [source for source in data.sources.values() if role in (None, source.role.key)]
    return {"sources": [_of_source(source) for source in sorted(wanted, key=_by_role_and_rank)]}


def answer_for_role(data: StrataData, role: str) -> JsonObjectType:
    """Return what `role` says: the answer of the source that speaks for it, and all its sources.

    Raises:
        NotThere: there is no such role, or no source of it.
    """
    if role not in ROLE_KEYS:
        raise not_there("no_such_role", role=role)
    sources = data.source_set.of_role(role)
    if not sources:
        raise not_there("no_source_of_role", role=role)
    ranked = data.source_set.ranked.get(role)
    speaker = (ranked.speaker if ranked else None) or sources[0]
    return _of_source(speaker) | answer_for_all(data, role)


def _by_role_and_rank(source: SourceCoordinator) -> tuple[str, int, str]:
    return source.role.key, source.rank, source.title


def _of_source(source: SourceCoordinator) -> JsonObjectType:
    snapshot = source.snapshot()
    reading = source.reading
    values = {} if snapshot is None else _values(source.role, snapshot.reading, source.role.fields_at(snapshot))
    main = values.get(source.main)
    shown: JsonObjectType = main if isinstance(main, dict) else {}
    age = (dt_util.utcnow() - reading.observed_at).total_seconds() if reading else None
    return {
        "source": source.subentry_id,
        "title": source.title,
        "role": source.role.key,
        "provider": source.provider.key,
        "rank": source.rank,
        "healthy": source.health.healthy,
        "failure": source.health.failure,
        "available": snapshot is not None,
        "value": shown.get("value"),
        "unit": shown.get("unit"),
        "observed_at": reading.observed_at.isoformat() if reading else None,
        "fetched_at": reading.fetched_at.isoformat() if reading else None,
        "age_seconds": None if age is None else round(age),
        "estimated": reading.estimated if reading else None,
        "attribution": reading.attribution if reading else None,
        "values": values,
    }


def _values(role: Role, reading: Reading, fields: Mapping[str, FieldValue | None]) -> JsonObjectType:
    values: JsonObjectType = {}
    for field in role.fields:
        unit = field.unit
        if unit is None and field.kind == "measurement":
            unit = reading.unit
        values[field.name] = {"value": fields.get(field.name), "unit": unit}
    return values
