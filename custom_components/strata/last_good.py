"""The last good reading of a source, kept over a restart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
import hashlib
import json
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .core.model import Forecast, Slot
from .health import Turn
from .sources.base import Options, ParamKind, Part, Provider, Reading

VERSION = 1
SAVE_DELAY = 30
"""Seconds; a restart in between loses nothing, as Home Assistant's final write saves at once."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a source: its last good reading, and its record."""

    reading: Reading | None
    turns: tuple[Turn, ...]


def _file(hass: HomeAssistant, subentry_id: str) -> Store[dict[str, Any]]:
    return Store(hass, VERSION, f"{DOMAIN}.source.{subentry_id}", private=True)


async def async_remove_last_good(hass: HomeAssistant, subentry_id: str) -> None:
    """Delete what is kept of a source."""
    await _file(hass, subentry_id).async_remove()


class LastGood:
    """The file that keeps one source's last good reading.

    What was read with other parameters is not this source's reading: a fingerprint of the
    parameters, secrets left out, tells them apart.
    """

    def __init__(self, hass: HomeAssistant, subentry_id: str, provider: Provider, details: Options) -> None:
        """Name the file after the subentry."""
        self._store = _file(hass, subentry_id)
        self._fingerprint = _fingerprint(provider, details)

    async def load(self) -> Kept:
        """Return what was kept; nothing when there is none, or none of these parameters."""
        try:
            kept = await self._store.async_load()
            if kept is None or kept.get("fingerprint") != self._fingerprint:
                return Kept(None, ())
            reading = reading_from_json(kept["reading"]) if kept["reading"] else None
            turns = tuple(Turn(datetime.fromisoformat(at), up) for at, up in kept["turns"])
        except HomeAssistantError, NotImplementedError, AttributeError, KeyError, TypeError, ValueError:
            # Written by hand or by another version, or not readable: the next fetch replaces it.
            return Kept(None, ())
        return Kept(reading, turns)

    def save_later(self, keep: Callable[[], Kept]) -> None:
        """Write what `keep` returns in a while, and at the latest when Home Assistant stops."""
        self._store.async_delay_save(lambda: self._as_json(keep()), SAVE_DELAY)

    async def save(self, kept: Kept) -> None:
        """Write now."""
        await self._store.async_save(self._as_json(kept))

    async def remove(self) -> None:
        """Delete the file."""
        await self._store.async_remove()

    def _as_json(self, kept: Kept) -> dict[str, Any]:
        return {
            "fingerprint": self._fingerprint,
            "reading": reading_as_json(kept.reading) if kept.reading else None,
            "turns": [[turn.at.isoformat(), turn.up] for turn in kept.turns],
        }


def reading_as_json(reading: Reading) -> dict[str, Any]:
    """Return `reading` in JSON's types."""
    return {
        "fields": dict(reading.fields),
        "tags": dict(reading.tags),
        "observed_at": reading.observed_at.isoformat(),
        "fetched_at": reading.fetched_at.isoformat(),
        "unit": reading.unit,
        "forecasts": {key: _forecast_as_json(forecast) for key, forecast in reading.forecasts.items()},
        "estimated": reading.estimated,
        "attribution": reading.attribution,
        "notes": dict(reading.notes),
        "timezone": reading.timezone,
        "parts": [
            [part.measurement, dict(part.tags), dict(part.fields), part.at.isoformat() if part.at else None]
            for part in reading.parts
        ],
    }


def reading_from_json(data: Mapping[str, Any]) -> Reading:
    """Return the reading that `reading_as_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: it did not write this.
    """
    return Reading(
        fields=data["fields"],
        tags=data["tags"],
        observed_at=datetime.fromisoformat(data["observed_at"]),
        fetched_at=datetime.fromisoformat(data["fetched_at"]),
        unit=data["unit"],
        forecasts={key: _forecast_from_json(forecast) for key, forecast in data["forecasts"].items()},
        estimated=data["estimated"],
        attribution=data["attribution"],
        notes=data["notes"],
        timezone=data["timezone"],
        parts=tuple(
            Part(measurement=measurement, tags=tags, fields=fields, at=datetime.fromisoformat(at) if at else None)
            for measurement, tags, fields, at in data.get("parts", ())
        ),
    )


def _forecast_as_json(forecast: Forecast) -> dict[str, Any]:
    return {
        "unit": forecast.unit,
        "issued_at": forecast.issued_at.isoformat(),
        "slots": [[slot.start.isoformat(), slot.end.isoformat(), slot.value] for slot in forecast.slots],
    }


def _forecast_from_json(data: Mapping[str, Any]) -> Forecast:
    return Forecast(
        unit=data["unit"],
        issued_at=datetime.fromisoformat(data["issued_at"]),
        slots=tuple(
            Slot(datetime.fromisoformat(start), datetime.fromisoformat(end), value)
            for start, end, value in data["slots"]
        ),
    )


def _fingerprint(provider: Provider, details: Options) -> str:
    told = [provider.key, without_secrets(provider, provider.options), *([dict(details)] if details else [])]
    text = json.dumps(told, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def without_secrets(provider: Provider | type[Provider], options: Options) -> dict[str, object]:
    """Return `options` without the values of secret parameters."""
    secret = {param.key for param in provider.params if param.kind is ParamKind.SECRET}
    return {key: value for key, value in options.items() if key not in secret}
