"""What all providers of occupancy share: what is asked about a person, and what a prediction is told as."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ...analysis.calendar import CalendarEvent, Rules, Signal
from ...analysis.occupancy import HORIZON, Outlook, Prediction, predict
from ...analysis.weekly_profile import Presence, WeeklyProfile
from ...analysis.words import WordList
from ...core.forecast import day_around
from ...core.model import FieldValue, Forecast, Slot
from ...core.stretch import Past
from ..answer import number
from ..base import Context, Home, Json, Options, Param, ParamKind, Reading

PROBABILITY: Final = "home_probability"
AT_HOME, WFH = "currently_home", "wfh_today"
ARRIVAL, PREPARE, DEPARTURE = "next_arrival_time", "prepare_time", "next_departure_time"
AWAY_HOURS, CONFIDENCE = "away_hours", "confidence"
PERCENT: Final = "%"
HOME_ZONE: Final = "zone.home"

LEARNED_FROM: Final = timedelta(weeks=8)
IN_DETAIL: Final = timedelta(days=6)
"""How far back single changes are surely there."""
LEARNED_ANEW: Final = timedelta(hours=6)
_MINUTES: Final = {"s": 1 / 60, "min": 1.0, "h": 60.0}
NO_PRESENCE: Final = frozenset({"unknown", "unavailable", ""})

HOME_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("DE", "AT", "CH"), ("Homeoffice", "zuhause", "zu Hause", "daheim")),
    **dict.fromkeys(("FR", "BE", "LU"), ("télétravail", "à la maison")),
    **dict.fromkeys(("ES", "MX", "AR", "CL", "CO"), ("teletrabajo", "en casa")),
    **dict.fromkeys(("IT",), ("smart working", "telelavoro", "a casa")),
    **dict.fromkeys(("NL",), ("thuiswerken", "thuis")),
    **dict.fromkeys(("SE",), ("hemarbete", "hemma")),
    **dict.fromkeys(("NO", "DK"), ("hjemmekontor", "hjemmearbejde", "hjemme")),
    **dict.fromkeys(("FI",), ("etätyö", "kotona")),
    **dict.fromkeys(("PT", "BR"), ("teletrabalho", "em casa")),
    **dict.fromkeys(("PL",), ("praca zdalna", "w domu")),
}
AWAY_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("DE", "AT", "CH"), ("Urlaub", "Reise", "Dienstreise", "Flug", "Büro")),
    **dict.fromkeys(("FR", "BE", "LU"), ("vacances", "voyage", "déplacement", "bureau")),
    **dict.fromkeys(("ES", "MX", "AR", "CL", "CO"), ("vacaciones", "viaje", "vuelo", "oficina")),
    **dict.fromkeys(("IT",), ("ferie", "viaggio", "trasferta", "volo", "ufficio")),
    **dict.fromkeys(("NL",), ("vakantie", "reis", "vlucht", "kantoor")),
    **dict.fromkeys(("SE",), ("semester", "resa", "tjänsteresa", "flyg", "kontoret")),
    **dict.fromkeys(("NO", "DK"), ("ferie", "reise", "rejse", "kontoret")),
    **dict.fromkeys(("FI",), ("loma", "matka", "lento", "toimisto")),
    **dict.fromkeys(("PT", "BR"), ("férias", "viagem", "voo", "escritório")),
    **dict.fromkeys(("PL",), ("urlop", "podróż", "delegacja", "biuro")),
}
"""What the form proposes beside the English words, by country."""


def _words_param(key: str, words: tuple[str, ...], more: Mapping[str, tuple[str, ...]]) -> Param:
    def proposed(home: Home) -> object:
        return [*words, *more.get(home.country or "", ())]

    return Param(key=key, kind=ParamKind.TEXT, required=False, multiple=True, default=proposed)


def _minutes_param(key: str) -> Param:
    return Param(
        key=key,
        kind=ParamKind.NUMBER,
        required=False,
        default=lambda home: 30,
        minimum=0,
        maximum=24 * 60,
        unit="min",
    )


LEAD: Final = _minutes_param("lead")
PERSON: Final = Param(key="person", kind=ParamKind.ENTITY, required=False, domains=("person",))
RULES: Final = (
    _words_param("home_words", ("WFH", "HOME"), HOME_WORDS),
    _words_param("away_words", ("vacation", "holiday", "trip", "travel", "flight", "office"), AWAY_WORDS),
    _minutes_param("travel"),
    Param(key="travel_entity", kind=ParamKind.ENTITY, required=False, domains=("sensor", "input_number", "number")),
    LEAD,
    Param(key="work_from", kind=ParamKind.TIME, required=False, default=lambda home: "09:00:00"),
    Param(key="work_until", kind=ParamKind.TIME, required=False, default=lambda home: "17:00:00"),
)


def listed(value: object) -> tuple[str, ...]:
    """Return an option with any number of values as a tuple."""
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(str(one) for one in values if one)


def minutes(options: Options, key: str) -> timedelta:
    """Return an option in minutes; 30 where it is not set."""
    set_to = number(options.get(key))
    return timedelta(minutes=30.0 if set_to is None else set_to)


def rules(context: Context, options: Options) -> Rules:
    """Return what the user says, with the way as long as the travel time entity says it is now."""
    named = context.access.state(HOME_ZONE)
    at_home = () if named is None else listed(named.attributes.get("friendly_name"))
    return Rules(
        timezone=context.home.timezone,
        home=WordList((*listed(options.get("home_words", ["WFH", "HOME"])), *at_home)),
        away=WordList(listed(options.get("away_words"))),
        travel=_travel(context, options),
        lead=minutes(options, "lead"),
        work=(_time(options, "work_from", time(9)), _time(options, "work_until", time(17))),
    )


def _travel(context: Context, options: Options) -> timedelta:
    state = context.access.state(str(options.get("travel_entity") or ""))
    told = number(state.state) if state is not None else None
    unit = _MINUTES.get((state.unit or "min") if state is not None else "")
    if told is None or told < 0 or unit is None:
        return minutes(options, "travel")
    return timedelta(minutes=told * unit)


def _time(options: Options, key: str, otherwise: time) -> time:
    try:
        return time.fromisoformat(str(options[key])) if options.get(key) else otherwise
    except ValueError:
        return otherwise


def present(context: Context, person: str | None) -> bool | None:
    """Return whether a person is at home, None where that is not known."""
    state = context.access.state(person) if person else None
    return None if state is None or state.state in NO_PRESENCE else state.state == "home"


class Habits:
    """The habits of one person, learned anew every six hours from what our store holds."""

    def __init__(self, person: str | None) -> None:
        """Take the person; without one nothing is learned."""
        self._person = person
        self._profile = WeeklyProfile()
        self._learned: datetime | None = None

    async def profile(self, context: Context) -> WeeklyProfile:
        """Return the habits."""
        now = context.now()
        if self._person and (self._learned is None or not timedelta() <= now - self._learned < LEARNED_ANEW):
            detailed = now - IN_DETAIL
            past = [
                *_presences(await context.access.history(self._person, now - LEARNED_FROM, detailed, tier="hourly")),
                *_presences(await context.access.history(self._person, detailed, now, tier="raw")),
            ]
            self._profile = WeeklyProfile.learned(past, context.home.timezone)
            self._learned = now
        return self._profile


def _presences(past: Past) -> Iterable[Presence]:
    return (Presence(one.start, one.end, one.seconds.get("home", 0.0), one.known) for one in past.stretches)


def asked_about(context: Context) -> tuple[datetime, datetime]:
    """Return the range whose events matter: from the beginning of today to as far as is foreseen."""
    now = context.now()
    return day_around(now, ZoneInfo(context.home.timezone))[0], now + HORIZON


async def foretold(
    context: Context, options: Options, events: Iterable[CalendarEvent], habits: Habits, source: str
) -> Reading:
    """Return the reading of one person's events."""
    person = str(options.get("person") or "")
    prediction = predict(
        events,
        now=context.now(),
        present=present(context, person),
        profile=await habits.profile(context),
        rules=rules(context, options),
    )
    return told(context, prediction, source, person.partition(".")[2] or "home")


def told(context: Context, prediction: Prediction, source: str, person: str) -> Reading:
    """Return a prediction as a reading."""
    now, seen = context.now(), prediction.outlook
    slots = tuple(Slot(slot.start, slot.end, round(100 * slot.value, 1)) for slot in seen.slots)
    forecast = Forecast(PERCENT, now, slots)
    running = forecast.at(now)
    fields: dict[str, FieldValue | None] = {
        PROBABILITY: running.value if running else None,
        AT_HOME: seen.home,
        WFH: seen.wfh,
        ARRIVAL: _iso(prediction.arrival),
        PREPARE: _iso(prediction.prepare),
        DEPARTURE: _iso(prediction.departure),
        AWAY_HOURS: round(prediction.away_hours, 2),
        CONFIDENCE: round(prediction.confidence, 3),
    }
    return Reading(
        fields=fields,
        tags={"source": source, "person": person},
        observed_at=now,
        fetched_at=now,
        unit=PERCENT,
        forecasts={PROBABILITY: forecast} if slots else {},
        notes=_notes(seen),
    )


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


def _notes(seen: Outlook) -> dict[str, Json]:
    """Return why: what the calendars say, without what events are called, and when they mean to be away."""
    reasons: list[Json] = [_reason(signal) for signal in seen.signals]
    away: list[Json] = [
        {"start": _iso(window.start), "end": _iso(window.end), "weight": window.weight} for window in seen.windows
    ]
    return {AT_HOME: seen.home, WFH: seen.wfh, "reasons": reasons, "away": away}


def _reason(signal: Signal) -> dict[str, Json]:
    return {
        "start": _iso(signal.start),
        "end": _iso(signal.end),
        "place": str(signal.place),
        "sign": str(signal.sign),
        "weight": signal.weight,
        "word": signal.word,
    }
