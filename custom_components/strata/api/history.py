"""`devices/{entity_id}/history`: one entity over any span, from whichever layers reach back so far."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast, override

from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.const import ERR_HOME_ASSISTANT_ERROR
from homeassistant.components.websocket_api.decorators import async_response, websocket_command
from homeassistant.components.websocket_api.messages import event_message
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.util.json import JsonObjectType
import probatio

from ..archive.history import gone
from ..asking import asked_span
from ..core.entity_series import MEASUREMENT
from ..core.model import Micros, Series, TimeRange, from_micros
from ..http import BASE_PATH, ApiCall, StrataView
from ..refusal import hub_of, not_there
from ..runtime import StrataData
from ..store.answers import Answer
from ..store.base import StoreError
from ..store.connection import in_store_words, snapshot
from ..store.history import ORDER, Look, SeriesHistory, initial, look, resolution
from ..store.lineage import lineages
from ..store.reader import StoreReader
from ..store.tiers import RAW
from ..store.worker import StoreWorker
from ..websocket import STORE_FAILED
from .archived import from_archive

ATTR_ENTITY = "entity_id"
ATTR_START = "start"
ATTR_END = "end"
ATTR_TIER = "tier"
ATTR_LIMIT = "limit"
AUTO = "auto"

DEFAULT_SPAN = timedelta(days=1)
ROWS_ASKED = 5_000
MOST_ROWS = 20_000
ROWS_STREAMED = 2_000
"""Rows in one message of a stream."""

SPAN: dict[str | probatio.Marker, Any] = {
    probatio.Optional(ATTR_START): cv.datetime,
    probatio.Optional(ATTR_END): cv.datetime,
    probatio.Optional(ATTR_TIER, default=AUTO): probatio.In((AUTO, *ORDER)),
}
QUESTION: dict[str | probatio.Marker, Any] = {
    **SPAN,
    probatio.Optional(ATTR_LIMIT, default=ROWS_ASKED): probatio.All(
        probatio.Coerce(int), probatio.Range(min=1, max=MOST_ROWS)
    ),
}


def series_of(hass: HomeAssistant, worker: StoreWorker, entity_id: str) -> list[Series]:
    """Return an entity's stored series: those of its registry entry, or those last known under its name.

    Raises:
        NotThere: nothing of it is stored.
    """
    entry = er.async_get(hass).async_get(entity_id)
    identity = f"entity:{entity_id if entry is None else entry.id}"
    own = [one for one in worker.all_series() if one.key.measurement == MEASUREMENT and one.id is not None]
    found = [one for one in own if one.key.identity == identity]
    found = found or [one for one in own if one.labels.get("entity_id") == entity_id]
    if not found:
        raise not_there("entity_not_recorded", entity=entity_id)
    return found


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look at the store found."""

    look: Look
    initial: tuple[Answer | None, ...]
    """Of each series the change in force where the span begins, where single values are told."""
    gone: list[TimeRange]
    """Where days of the span have left the store."""


async def answer_history(
    data: StrataData, entity_id: str, series: Sequence[Series], when: TimeRange, tier: str | None, limit: int
) -> tuple[JsonObjectType, Micros | None]:
    """Return rows of an entity's series, and where to go on when there are more than `limit`.

    The store is read once, at one instant. What leaves it for the archive afterwards is in both, and told once.

    Raises:
        StoreError: the store cannot be read.
    """
    timezone, everything, archive = data.worker.timezone, data.worker.all_series(), bool(data.archives.running)

    def read(reader: StoreReader) -> _Seen:
        with in_store_words(reader.path), snapshot(reader.connection):
            told = lineages(series, everything, reader.continued())
            found = look(reader, timezone, told, when, tier=tier, limit=limit, archive=archive)
            before = tuple(initial(reader, one, when.start) if found.resolution == RAW else None for one in told)
            return _Seen(found, before, gone(reader.connection, found))

    seen = await data.worker.read(read)
    archived, problems = await from_archive(data, seen.look, seen.gone) if seen.gone else ({}, [])

    def tell() -> tuple[JsonObjectType, Micros | None]:
        found = seen.look.told(archived)
        told: dict[str, object] = {
            "entity_id": entity_id,
            "start": from_micros(when.start).isoformat(),
            "end": from_micros(when.end).isoformat(),
            "resolution": found.resolution,
            "tiers": found.tiers,
            "series": [_told(one, before) for one, before in zip(found.series, seen.initial, strict=True)],
            "problems": problems,
            "next": None if found.next is None else from_micros(found.next).isoformat(),
        }
        return cast("JsonObjectType", told), found.next

    return await asyncio.to_thread(tell)


def _told(one: SeriesHistory, before: Answer | None) -> dict[str, object]:
    parts: list[dict[str, Any]] = []
    for _, tier, row in one.rows:
        if not parts or parts[-1]["tier"] != tier:
            parts.append({"tier": tier, "rows": []})
        parts[-1]["rows"].append(row)
    return {
        "field": one.series.key.field,
        "kind": one.series.kind.value,
        "unit": one.series.unit,
        "initial": before,
        "segments": parts,
    }


async def async_query_history(
    hass: HomeAssistant, data: StrataData, entity_id: str, question: Mapping[str, Any]
) -> JsonObjectType:
    """Return what actions and REST answer."""
    series = series_of(hass, data.worker, entity_id)
    tier = None if question[ATTR_TIER] == AUTO else question[ATTR_TIER]
    answer, _ = await answer_history(
        data, entity_id, series, asked_span(question, DEFAULT_SPAN), tier, question[ATTR_LIMIT]
    )
    return answer


class HistoryView(StrataView):
    """One entity over a span."""

    url = f"{BASE_PATH}/devices/{{entity_id}}/history"
    name = "api:strata:history"
    query = probatio.Schema(QUESTION)

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        return await async_query_history(call.hass, call.entry.runtime_data, call.parts["entity_id"], call.query)


@websocket_command({probatio.Required("type"): "strata/history", probatio.Required(ATTR_ENTITY): cv.entity_id, **SPAN})
@async_response
async def stream(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Send an entity's history, however long, as events of some thousand rows; the last one says that it is."""
    number = msg["id"]
    try:
        data = hub_of(hass).runtime_data
        series = series_of(hass, data.worker, msg[ATTR_ENTITY])
        when = asked_span(msg, DEFAULT_SPAN)
        tier = resolution(series, when) if msg[ATTR_TIER] == AUTO else msg[ATTR_TIER]
        connection.subscriptions[number] = lambda: None
        connection.send_result(number)
        while number in connection.subscriptions:
            answer, following = await answer_history(data, msg[ATTR_ENTITY], series, when, tier, ROWS_STREAMED)
            connection.send_message(event_message(number, answer | {"last": following is None}))
            if following is None:
                return
            when = TimeRange(following, when.end)
    except HomeAssistantError as error:
        connection.send_error(number, error.translation_key or ERR_HOME_ASSISTANT_ERROR, str(error))
    except StoreError as error:
        connection.send_error(number, STORE_FAILED, str(error))


VIEWS = (HistoryView,)
COMMANDS = (stream,)
