"""`views`: answers that are kept ready."""

from collections.abc import Mapping
from datetime import date
from typing import Any, cast, override

from homeassistant.components.websocket_api.decorators import websocket_command
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.util.json import JsonObjectType
import probatio

from ..core.model import from_micros
from ..http import BASE_PATH, ApiCall, StrataView
from ..refusal import not_there, refusal
from ..runtime import StrataConfigEntry, StrataData
from ..store.reader import StoreReader
from ..store.views import VIEWS as ALL_VIEWS, view as view_named
from ..store.views.query import MOST_ROWS, MaterializedViews
from ..websocket import answered

ATTR_VIEW = "view"
ATTR_ENTITIES = "entities"
ATTR_AREAS = "areas"
ATTR_START = "start"
ATTR_END = "end"
ATTR_LIMIT = "limit"
ATTR_OFFSET = "offset"

ROWS_ASKED = 1_000
VIEW_NAMES = tuple(view.name for view in ALL_VIEWS)


def listed(value: Any) -> list[str]:
    """Return a list that came as text with commas, or as a list."""
    items = value.split(",") if isinstance(value, str) else value
    return [cv.string(item).strip() for item in items]


QUESTION: dict[str | probatio.Marker, Any] = {
    probatio.Optional(ATTR_ENTITIES): listed,
    probatio.Optional(ATTR_AREAS): listed,
    probatio.Optional(ATTR_START): cv.date,
    probatio.Optional(ATTR_END): cv.date,
    probatio.Optional(ATTR_LIMIT, default=ROWS_ASKED): probatio.All(
        probatio.Coerce(int), probatio.Range(min=1, max=MOST_ROWS)
    ),
    probatio.Optional(ATTR_OFFSET, default=0): probatio.All(probatio.Coerce(int), probatio.Range(min=0, max=10**9)),
}
"""What may be said of the rows that are wanted; the same for actions, REST and WebSocket."""


async def answer_view(data: StrataData, name: str, question: Mapping[str, Any]) -> JsonObjectType:
    """Return rows of a view.

    Raises:
        NotThere: there is no such view.
        ServiceValidationError: the view cannot be asked that.
        StoreError: the store cannot be read.
    """
    if name not in VIEW_NAMES:
        raise not_there("no_such_view", view=name)
    start: date | None = question.get(ATTR_START)
    end: date | None = question.get(ATTR_END)
    if start is not None and end is not None and end <= start:
        raise refusal("end_before_start")

    def read(reader: StoreReader) -> JsonObjectType:
        views = MaterializedViews(reader)
        answer = views.query(
            name,
            entities=question.get(ATTR_ENTITIES),
            areas=question.get(ATTR_AREAS),
            start=start,
            end=end,
            limit=question[ATTR_LIMIT],
            offset=question[ATTR_OFFSET],
        )
        refreshed = views.refreshed()
        told: dict[str, object] = {
            "view": name,
            "refreshed": None if refreshed is None else from_micros(refreshed).isoformat(),
            "units": dict(answer.units),
            "rows": answer.as_dicts(),
            "more": answer.more,
        }
        return cast("JsonObjectType", told)

    try:
        return await data.worker.read(read)
    except ValueError as error:
        raise refusal("view_not_chosen_by", reason=str(error)) from error


class ViewsView(StrataView):
    """Which views there are."""

    url = f"{BASE_PATH}/views"
    name = "api:strata:views"

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        return {"views": [{"view": name, "columns": _columns(name)} for name in VIEW_NAMES]}


def _columns(name: str) -> JsonObjectType:
    return {column.told: column.unit for column in view_named(name).columns}


class ViewView(StrataView):
    """Rows of one view."""

    url = f"{BASE_PATH}/views/{{name}}"
    name = "api:strata:view"
    query = probatio.Schema(QUESTION)

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        return await answer_view(call.entry.runtime_data, call.parts["name"], call.query)


@websocket_command({probatio.Required("type"): "strata/view", probatio.Required(ATTR_VIEW): str, **QUESTION})
@answered
async def view(_hass: HomeAssistant, entry: StrataConfigEntry, msg: dict[str, Any]) -> JsonObjectType:
    """Return rows of one view."""
    return await answer_view(entry.runtime_data, msg[ATTR_VIEW], msg)


VIEWS = (ViewsView, ViewView)
COMMANDS = (view,)
