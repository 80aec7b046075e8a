"""One fetch of one source, in the form and afterwards: timeout, and what each failure is called."""

import asyncio
from collections.abc import Callable, MutableMapping
from dataclasses import replace
from datetime import datetime, timedelta
import traceback
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import quote, quote_plus

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import BASE_URLS, DOMAIN, LOGGER
from .dependencies import DependencyMissing, async_require
from .home import HomeAssistantAccess, home_of
from .sources.base import (
    Context,
    Json,
    Options,
    ParamKind,
    Provider,
    Reading,
    Role,
    SourceBadAnswer,
    SourceError,
    SourceNoData,
    SourceRateLimited,
    SourceUnauthorized,
    SourceUnreachable,
)
from .sources.fetch import Call, HttpContext
from .sources.quota import QuotaBook

FETCH_TIMEOUT = 30
"""Seconds for all requests of one fetch together; a single request has a shorter limit of its own."""
QUOTA_SAVE_DELAY = 60
_NO_DETAILS: Options = MappingProxyType({})
CLOCKS_APART = timedelta(hours=1)
"""How far a source's clock may be ahead of ours before what it says of the present is not believed."""


class SourceBroken(SourceError):
    """The provider itself went wrong; `__cause__` is what it raised."""


class SourceLacksLibrary(SourceError):
    """A library the provider needs could not be installed."""


_FAILURE_KEYS: dict[type[SourceError], str] = {
    SourceUnreachable: "cannot_connect",
    SourceUnauthorized: "invalid_auth",
    SourceRateLimited: "rate_limited",
    SourceNoData: "no_data",
    SourceBadAnswer: "bad_answer",
    SourceLacksLibrary: "library_missing",
    SourceBroken: "unknown",
}


def failure_key(error: SourceError) -> str:
    """Return the translation key of a failure."""
    return next((key for kind, key in _FAILURE_KEYS.items() if isinstance(error, kind)), "unknown")


class Quotas:
    """Counts the requests of all sources together, over restarts too."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin with an empty book; `async_load` adds what earlier runs counted."""
        self.book = QuotaBook(dt_util.utcnow)
        self._store: Store[dict[str, Any]] = Store(hass, 1, f"{DOMAIN}.quota", private=True)

    async def async_load(self) -> None:
        """Add what was counted before the restart."""
        try:
            self.book.load(await self._store.async_load())
        except HomeAssistantError, NotImplementedError:
            # Of another version or not readable: counting begins anew.
            LOGGER.debug("The count of requests could not be read", exc_info=True)

    @callback
    def async_save_later(self) -> None:
        """Write in a while, and at the latest when Home Assistant stops."""
        self._store.async_delay_save(self.dump, QUOTA_SAVE_DELAY)

    async def async_remove(self) -> None:
        """Delete the file."""
        await self._store.async_remove()

    def dump(self) -> dict[str, Any]:
        """Return what has been counted, as JSON."""
        return cast("dict[str, Any]", self.book.dump())


QUOTAS: HassKey[Quotas] = HassKey(f"{DOMAIN}.quotas")


def _secrets(provider: Provider) -> list[str]:
    keys = [param.key for param in provider.params if param.kind is ParamKind.SECRET]
    return [str(value) for key in keys if (value := provider.options.get(key))]


def log_broken(name: str, provider: Provider, error: SourceBroken) -> None:
    """Log an error in a provider with its traceback; what libraries say may quote a URL with a secret."""
    trace = "".join(traceback.format_exception(error.__cause__)).rstrip()
    for secret in _secrets(provider):
        for written in (secret, quote(secret), quote_plus(secret)):
            trace = trace.replace(written, "**REDACTED**")
    LOGGER.error("The provider of %s has an error\n%s", name, trace)


def open_context(
    hass: HomeAssistant,
    role: Role,
    provider: Provider,
    on_call: Callable[[Call], None],
    memory: MutableMapping[str, Json] | None = None,
) -> Context:
    """Return what `provider` may see of the world; `on_call` is told of each request."""
    base_url = hass.data.get(BASE_URLS, {}).get(f"{role.key}.{provider.key}", provider.base_url)
    return HttpContext(
        async_get_clientsession(hass),
        base_url,
        home=home_of(hass),
        access=HomeAssistantAccess(hass),
        now=dt_util.utcnow,
        book=hass.data[QUOTAS].book,
        quota=provider.quota,
        key=" ".join(_secrets(provider)),
        on_call=on_call,
        memory=memory,
    )


async def async_fetch(
    hass: HomeAssistant,
    role: Role,
    provider: Provider,
    on_call: Callable[[Call], None] = lambda call: None,
    memory: MutableMapping[str, Json] | None = None,
    details: Options = _NO_DETAILS,
) -> Reading:
    """Return the provider's present reading, with what its role makes of the details.

    Raises:
        SourceError: one of its subclasses, by what went wrong; SourceNoData too where the newest value is
            so old that its role does not serve it.
    """
    context = open_context(hass, role, provider, on_call, memory)
    if provider.requirements:
        try:
            await async_require(hass, provider.requirements)
        except DependencyMissing as error:
            raise SourceLacksLibrary(f"not installed: {', '.join(error.packages)}") from error
    try:
        async with asyncio.timeout(FETCH_TIMEOUT):
            reading = await provider.fetch(context)
    except SourceError:
        raise
    except TimeoutError as error:
        raise SourceUnreachable(f"no complete answer within {FETCH_TIMEOUT} s") from error
    except Exception as error:
        raise SourceBroken(f"{type(error).__name__} in provider {provider.key}") from error
    finally:
        if provider.quota is not None:
            hass.data[QUOTAS].async_save_later()
    reading = role.refine(by_our_clock(reading, dt_util.utcnow()), details, home_of(hass))
    lifetime = role.good_for(reading)
    if lifetime is not None and reading.observed_at + lifetime <= dt_util.utcnow():
        raise SourceNoData(f"its newest value is for {dt_util.as_utc(reading.observed_at):%Y-%m-%d %H:%M} UTC")
    return reading


def by_our_clock(reading: Reading, now: datetime) -> Reading:
    """Return `reading` as of `now` at the latest: a source's clock may be a little ahead of ours.

    Raises:
        SourceBadAnswer: it is for a time further ahead than clocks can be apart.
    """
    ahead = reading.observed_at - now
    if ahead <= timedelta():
        return reading
    if ahead > CLOCKS_APART:
        at = f"{dt_util.as_utc(reading.observed_at):%Y-%m-%d %H:%M} UTC"
        raise SourceBadAnswer(f"its newest value is for {at}, which is still to come: is this home's clock right?")
    return replace(reading, observed_at=now)
