"""What the channels of Emporia's devices mean: mains, circuits, what is nested, and what is the rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..answer import mapping, moment, number, sequence
from ..base import Json, SourceBadAnswer, SourceNoData
from .meter import Circuit, Measured

MAINS: Final = "1,2,3"
FROM_GRID, TO_GRID, BALANCE, TOTAL = "MainsFromGrid", "MainsToGrid", "Balance", "TotalUsage"
_NO_CIRCUITS: Final = frozenset({MAINS, FROM_GRID, TO_GRID, BALANCE, TOTAL})
WATTS_OF_A_MINUTE: Final = 60_000.0
"""1 kWh in a minute is 60 kW."""


@dataclass(frozen=True, slots=True)
class _Channel:
    gid: int
    number: str
    name: str
    kwh: float | None
    inside: str | None
    """Key of the channel its device hangs on."""

    @property
    def key(self) -> str:
        return f"{self.gid}:{self.number}"


def meter_of(meter_type: str, devices: Json, minute: Json, today: float | None) -> Measured:
    """Return what one minute's energies say.

    What flows backwards through a circuit is taken as production: Emporia does not say what a circuit is for.

    Raises:
        SourceNoData: no panel reports. SourceBadAnswer: it is no answer of Emporia's.
    """
    observed, channels = _usages(devices, minute)
    panels = _panels(channels)
    grid = [_of_grid(panel) for panel in panels.values()]
    if not grid or any(part is None for part in grid):
        raise SourceNoData("the mains of an Emporia device do not report")
    rest = [one for one in channels if _is_circuit(one, panels) and one.kwh is not None]
    watts = {one.key: (one.kwh or 0.0) * WATTS_OF_A_MINUTE for one in rest}
    made = tuple(-power for power in watts.values() if power < 0)
    return Measured(
        meter_type=meter_type,
        grid=sum(part for part in grid if part is not None) * WATTS_OF_A_MINUTE,
        solar=(sum(made),) if made else (),
        circuits=[Circuit(one.key, watts[one.key], one.inside, one.name) for one in rest if watts[one.key] >= 0],
        today=today,
        observed_at=observed,
    )


def energy_today(devices: Json, day: Json) -> float | None:
    """Return the energy from the grid of the running day of the devices' time zone, in kWh; None when unknown."""
    _, channels = _usages(devices, day)
    parts = [
        panel[FROM_GRID].kwh if FROM_GRID in panel and panel[FROM_GRID].kwh is not None else panel[MAINS].kwh
        for panel in _panels(channels).values()
    ]
    return None if not parts or None in parts else sum(max(part, 0.0) for part in parts if part is not None)


def _of_grid(panel: dict[str, _Channel]) -> float | None:
    into, out = panel.get(FROM_GRID), panel.get(TO_GRID)
    if into is not None and out is not None and into.kwh is not None and out.kwh is not None:
        return into.kwh - abs(out.kwh)
    return panel[MAINS].kwh


def _panels(channels: list[_Channel]) -> dict[int, dict[str, _Channel]]:
    """Return the channels, by number, of the devices that measure a whole panel and hang on no other.

    Plugs and chargers have mains of their own and nothing else: they are circuits of a panel, if there is one.
    """
    by_device: dict[int, dict[str, _Channel]] = {}
    for channel in channels:
        if channel.inside is None:
            by_device.setdefault(channel.gid, {})[channel.number] = channel
    whole = {gid: found for gid, found in by_device.items() if MAINS in found}
    panels = {gid: found for gid, found in whole.items() if set(found) - {MAINS}}
    return panels or whole


def _is_circuit(channel: _Channel, panels: dict[int, dict[str, _Channel]]) -> bool:
    if channel.number == MAINS:
        # Of a plug or charger; the mains of a nested panel are what its outer circuit measures already.
        return channel.gid not in panels and channel.inside is None
    return channel.number not in _NO_CIRCUITS


def _usages(devices: Json, answer: Json) -> tuple[datetime, list[_Channel]]:
    told = mapping(mapping(answer, "the answer").get("deviceListUsages"), "the usages")
    names = dict(_names(devices))
    channels: dict[str, _Channel] = {}
    for device in sequence(told.get("devices"), "the devices"):
        for channel in _channels(mapping(device, "a device"), names, None):
            # A nested device may be listed beside its panel too; where it hangs is what counts.
            if channel.key not in channels or channel.inside is not None:
                channels[channel.key] = channel
    if not channels:
        raise SourceNoData("Emporia tells of no channels")
    return moment(told.get("instant")), list(channels.values())


def _channels(device: dict[str, Json], names: dict[str, str], inside: str | None) -> Iterator[_Channel]:
    for row in sequence(device.get("channelUsages"), "the channels"):
        told = mapping(row, "a channel")
        gid, place = number(told.get("deviceGid", device.get("deviceGid"))), told.get("channelNum")
        if gid is None or not isinstance(place, str):
            raise SourceBadAnswer("a channel has no device or number")
        key = f"{int(gid)}:{place}"
        name = names.get(key) or str(told.get("name") or place)
        yield _Channel(int(gid), place, name, number(told.get("usage")), inside)
        for nested in sequence(told.get("nestedDevices") or [], "the nested devices"):
            yield from _channels(mapping(nested, "a nested device"), names, key)


def _names(devices: Json) -> Iterator[tuple[str, str]]:
    """Yield what the user calls each channel: its own name, or that of a device with no other channel."""
    waiting = [mapping(row, "a device") for row in sequence(mapping(devices, "the devices").get("devices"), "devices")]
    while waiting:
        device = waiting.pop()
        waiting += [mapping(row, "a device") for row in sequence(device.get("devices") or [], "nested devices")]
        place = mapping(device.get("locationProperties") or {}, "the location")
        for row in sequence(device.get("channels") or [], "the channels"):
            channel = mapping(row, "a channel")
            gid, where = channel.get("deviceGid", device.get("deviceGid")), channel.get("channelNum")
            own = place.get("deviceName") if where == MAINS else None
            if name := channel.get("name") or own:
                yield f"{gid}:{where}", str(name)
