"""Anywhere: the whole household, from the predictions of its people."""

from collections.abc import Iterator
from typing import override

from ...analysis.calendar import AwayWindow
from ...analysis.occupancy import Outlook, household
from ...core.model import Slot
from ..answer import mapping, moment, number, sequence
from ..base import Context, EntityState, Json, Param, ParamKind, Provider, Reading, SourceBadAnswer, SourceNoData
from .people import AT_HOME, LEAD, PROBABILITY, WFH, listed, minutes, told

EVERYBODY = "household"


class Household(Provider):
    """Somebody is at home when one of the people is; who they are is told by their sources' probability sensors."""

    key = "household"
    params = (
        Param(key="people", kind=ParamKind.ENTITY, domains=("sensor",), multiple=True, own=PROBABILITY),
        LEAD,
    )
    local = True
    title_shown = False

    @override
    def title(self) -> str:
        return " ".join(self.watched_entities())

    @override
    def watched_entities(self) -> tuple[str, ...]:
        return listed(self.options["people"])

    @override
    async def fetch(self, context: Context) -> Reading:
        states = [state for name in self.watched_entities() if (state := context.access.state(name)) is not None]
        known = [state for state in states if number(state.state) is not None]
        if len(known) < len(self.watched_entities()):
            missing = set(self.watched_entities()) - {state.entity_id for state in known}
            # Of whom nothing is known may be at home.
            raise SourceNoData(f"nothing is known of {', '.join(sorted(missing))}")
        people = [_outlook(state, context) for state in known]
        return told(context, household(people, minutes(self.options, "lead")), self.key, EVERYBODY)


def _outlook(state: EntityState, context: Context) -> Outlook:
    """Return the outlook that a probability sensor's attributes tell.

    Raises:
        SourceBadAnswer: they do not.
    """
    try:
        home, wfh = (bool(state.attributes[key]) for key in (AT_HOME, WFH))
        slots = tuple(_slots(state.attributes["forecast"]))
        windows = tuple(_windows(state.attributes["away"]))
    except (KeyError, ValueError) as error:
        raise SourceBadAnswer(f"{state.entity_id} is no sensor of somebody's probability of being at home") from error
    now = context.now()
    coming = tuple(slot for slot in slots if slot.end > now)
    return Outlook(now=now, home=home, wfh=wfh, slots=coming, windows=windows)


def _slots(rows: object) -> Iterator[Slot]:
    for row in sequence(rows, "the forecast"):
        told_row = mapping(row, "a slot")
        share = _share(told_row.get("probability"), 100)
        yield Slot(moment(told_row.get("start")), moment(told_row.get("end")), share)


def _windows(rows: object) -> Iterator[AwayWindow]:
    for row in sequence(rows, "the time away"):
        told_row = mapping(row, "a time away")
        weight = _share(told_row.get("weight"), 1)
        yield AwayWindow(moment(told_row.get("start")), moment(told_row.get("end")), weight)


def _share(value: Json, whole: float) -> float:
    if (share := number(value)) is None or not 0 <= share <= whole:
        raise ValueError(f"{value} is no share of {whole:g}")
    return share / whole
