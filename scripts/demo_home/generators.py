"""How the things of a home behave over time: levels, appliances, meters, switches, states with names."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
import math
import random
from zoneinfo import ZoneInfo

from .home import HOUR, SECOND, Change, Micros

type Profile = Callable[[float], float]
"""A value by the hour of the local day, 0 to 24."""


class Calendar:
    """The local days of a stretch of time."""

    def __init__(self, timezone: str, begin: Micros, end: Micros) -> None:
        """Find the midnights between `begin` (one itself) and `end`."""
        self.begin, self.end = begin, end
        self.zone = ZoneInfo(timezone)
        first = datetime.fromtimestamp(begin / SECOND, self.zone)
        self.midnights: list[Micros] = []
        for day in range((end - begin) // (24 * HOUR) + 2):
            date = (first + timedelta(days=day)).date()
            midnight = datetime(date.year, date.month, date.day, tzinfo=self.zone)
            if (instant := round(midnight.timestamp()) * SECOND) < end:
                self.midnights.append(instant)

    def hour(self, time: Micros) -> float:
        """Return the local hour of the day with its fraction."""
        local = datetime.fromtimestamp(time / SECOND, self.zone)
        return local.hour + local.minute / 60 + local.second / 3600

    def midnight_before(self, time: Micros) -> Micros:
        """Return the start of the local day."""
        return self.midnights[bisect_right(self.midnights, time) - 1]

    def at(self, midnight: Micros, hour: float) -> Micros:
        """Return the instant the local clock of that day first shows `hour`."""
        date = datetime.fromtimestamp(midnight / SECOND, self.zone)
        wall = datetime(date.year, date.month, date.day, tzinfo=self.zone) + timedelta(hours=hour)
        return round(wall.timestamp() * SECOND)

    def ticks(self, rng: random.Random, seconds: float) -> Iterator[Micros]:
        """Yield instants about `seconds` apart, as a device that reports on change has them."""
        time = self.begin + round(rng.uniform(0, seconds) * SECOND)
        while time < self.end:
            yield time // 1000 * 1000
            time += round(seconds * rng.uniform(0.6, 1.4) * SECOND)


def wave(low: float, high: float, peak: float) -> Profile:
    """Return a profile that swings once a day between `low` and `high`, highest at `peak` o'clock."""
    middle, swing = (low + high) / 2, (high - low) / 2
    return lambda hour: middle + swing * math.cos((hour - peak) / 24 * 2 * math.pi)


def daylight(top: float, rise: float = 7.8, fall: float = 18.2) -> Profile:
    """Return a profile that is above nothing only from sunrise to sunset."""

    def profile(hour: float) -> float:
        return top * math.sin((hour - rise) / (fall - rise) * math.pi) if rise < hour < fall else 0.0

    return profile


def level(
    entity_id: str, seconds: float, profile: Profile, noise: float, digits: int
) -> Callable[[random.Random, Calendar], list[Change]]:
    """Return a life that follows a profile with noise; only what differs from the last reading is reported."""

    def life(rng: random.Random, days: Calendar) -> list[Change]:
        changes: list[Change] = []
        drift, state = 0.0, ""
        for time in days.ticks(rng, seconds):
            mean = profile(days.hour(time))
            drift = 0.9 * drift + rng.gauss(0, noise)
            # Nothing in this home is below zero, least of all the light at dawn.
            value = 0.0 if mean == 0 else max(0.0, mean + drift)
            shown = f"{value:.{digits}f}"
            if shown != state:
                state = shown
                changes.append(Change(time, entity_id, shown))
        return changes

    return life


def appliance(
    entity_id: str, watts: float, standby: float, *, on: float, off: float, hours: tuple[float, float] = (0, 24)
) -> Callable[[random.Random, Calendar], list[Change]]:
    """Return the power of something that runs for about `on` minutes, every `off` minutes, within hours of the day."""

    def life(rng: random.Random, days: Calendar) -> list[Change]:
        changes = [Change(days.begin + round(rng.uniform(1, 60)) * SECOND, entity_id, f"{standby:.1f}")]
        time = changes[0].time
        while (time := time + round(off * rng.uniform(0.5, 1.5) * 60) * SECOND) < days.end:
            if not hours[0] <= days.hour(time) < hours[1]:
                continue
            until = min(time + round(on * rng.uniform(0.7, 1.3) * 60) * SECOND, days.end - SECOND)
            while time < until:
                changes.append(Change(time, entity_id, f"{watts * rng.uniform(0.94, 1.06):.1f}"))
                time += round(rng.uniform(18, 45) * 1000) * 1000
            changes.append(Change(time, entity_id, f"{standby:.1f}"))
        return [change for change in changes if change.time < days.end]

    return life


def meter(
    entity_id: str, seconds: float, per_hour: Profile, digits: int, *, start: float = 0.0, daily: bool = False
) -> Callable[[random.Random, Calendar], list[Change]]:
    """Return a register that grows by `per_hour` and, if `daily`, starts again at local midnight."""

    def life(rng: random.Random, days: Calendar) -> list[Change]:
        changes: list[Change] = []
        total, state, before, midnight = start, "", days.begin, days.begin
        for time in days.ticks(rng, seconds):
            if daily and (today := days.midnight_before(time)) != midnight:
                total, before, midnight, state = 0.0, today, today, f"{0:.{digits}f}"
                changes.append(Change(today + 2 * SECOND, entity_id, state))
            if time <= before + 2 * SECOND:
                continue
            total += max(0.0, per_hour(days.hour(time)) * rng.uniform(0.6, 1.4)) * (time - before) / HOUR
            before = time
            if (shown := f"{total:.{digits}f}") != state:
                state = shown
                changes.append(Change(time, entity_id, shown))
        return changes

    return life


def balance(entity_id: str, seconds: float, per_hour: Profile) -> Callable[[random.Random, Calendar], list[Change]]:
    """Return a daily balance in money, which goes down as well and says by `last_reset` when it began."""

    def life(rng: random.Random, days: Calendar) -> list[Change]:
        changes: list[Change] = []
        total, state, before, midnight = 0.0, "", days.begin, None
        for time in days.ticks(rng, seconds):
            today = days.midnight_before(time)
            since = datetime.fromtimestamp(today / SECOND, days.zone).isoformat()
            if today != midnight:
                total, before, midnight, state = 0.0, today, today, "0.000"
                changes.append(Change(today + 2 * SECOND, entity_id, state, {"last_reset": since}))
            if time <= before + 2 * SECOND:
                continue
            total += per_hour(days.hour(time)) * rng.uniform(0.6, 1.4) * (time - before) / HOUR
            before = time
            if (shown := f"{total:.3f}") != state:
                state = shown
                changes.append(Change(time, entity_id, shown, {"last_reset": since}))
        return changes

    return life


def switch(
    entity_id: str, times_a_day: float, minutes: float, hours: tuple[float, float], words: Sequence[str] = ("off", "on")
) -> Callable[[random.Random, Calendar], list[Change]]:
    """Return something that is on for about `minutes`, so many times a day, within hours of the day.

    `words` are the states it goes through and back to the first: `off`, `on`, or `closed`, `opening`, `open`.
    """

    def life(rng: random.Random, days: Calendar) -> list[Change]:
        changes = [Change(days.begin + round(rng.uniform(1, 60)) * SECOND, entity_id, words[0])]
        for midnight in days.midnights:
            count = round(times_a_day * rng.uniform(0.5, 1.5))
            for hour in sorted(rng.uniform(*hours) for _ in range(count)):
                time = days.at(midnight, hour)
                if time <= changes[-1].time:
                    continue
                for word in words[1:]:
                    changes.append(Change(time, entity_id, word))
                    time += round(rng.uniform(8, 20) * 1000) * 1000 if word != words[-1] else 0
                time += round(minutes * rng.uniform(0.3, 1.7) * 60_000) * 1000
                changes.append(Change(time, entity_id, words[0]))
        return [change for change in changes if change.time < days.end]

    return life


def words(
    entity_id: str, schedule: Mapping[float, Sequence[str]], spread: float = 0.5
) -> Callable[[random.Random, Calendar], list[Change]]:
    """Return a named state that changes at about the hours of the schedule, to one of its words."""

    def life(rng: random.Random, days: Calendar) -> list[Change]:
        changes: list[Change] = []
        for midnight in days.midnights:
            for hour, choice in schedule.items():
                time = days.at(midnight, hour) + round(rng.uniform(0, spread) * 3600) * SECOND
                word = rng.choice(choice)
                if time < days.end and (not changes or (time > changes[-1].time and word != changes[-1].state)):
                    changes.append(Change(time, entity_id, word))
        return changes

    return life


def battery(entity_id: str, start: float, per_day: float) -> Callable[[random.Random, Calendar], list[Change]]:
    """Return the charge of a battery in percent, reported whenever it has lost another percent."""

    def life(rng: random.Random, days: Calendar) -> list[Change]:
        changes: list[Change] = []
        for time in days.ticks(rng, 3600):
            shown = f"{start - per_day * (time - days.begin) / (24 * HOUR):.0f}"
            if not changes or changes[-1].state != shown:
                changes.append(Change(time, entity_id, shown))
        return changes

    return life


def tariff(entity_id: str, cents: Sequence[float]) -> Callable[[random.Random, Calendar], list[Change]]:
    """Return a price per hour in EUR/kWh with the list of its day, as Nord Pool's integrations show it."""

    def life(rng: random.Random, days: Calendar) -> list[Change]:
        changes: list[Change] = []
        for midnight in days.midnights:
            date = datetime.fromtimestamp(midnight / SECOND, days.zone).date()
            move = rng.uniform(-3, 3)
            tomorrow = days.at(midnight, 24)
            starts = range(midnight, tomorrow, HOUR)
            prices = [(cents[int(days.hour(start))] + move) / 100 for start in starts]
            rows = [
                {
                    "start": datetime.fromtimestamp(start / SECOND, days.zone).isoformat(),
                    "end": datetime.fromtimestamp((start + HOUR) / SECOND, days.zone).isoformat(),
                    "value": round(price, 5),
                }
                for start, price in zip(starts, prices, strict=True)
            ]
            attributes = {"raw_today": rows, "date": date.isoformat()}
            for start, price in zip(starts, prices, strict=True):
                if start < days.end:
                    changes.append(Change(start + 2 * SECOND, entity_id, f"{price:.5f}", attributes))
        return [c for i, c in enumerate(changes) if i == 0 or c.state != changes[i - 1].state]

    return life
