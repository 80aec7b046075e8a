"""What Home Assistant's event loop notices of a mirror whose server is down, or takes requests and never answers.

The load, the probe and the bars are those of `loop_latency`; here Strata runs in both runs of a pair, and what is
added is the mirror's: one with a closed port, one with a server that reads for ever and says nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
import socket
from statistics import median
from types import MappingProxyType

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant

from custom_components.strata.const import (
    CONF_CONTENTS,
    CONF_DATABASE,
    CONF_HISTORY,
    CONF_PER_TIER,
    CONF_SERVER,
    CONF_URL,
    CONF_VERIFY_SSL,
    HISTORY_NOW,
    SUBENTRY_MIRROR,
)
from custom_components.strata.mirror.selection import Content
from custom_components.strata.runtime import StrataData
from scripts.benchmarks.figures import Figure, Options
from scripts.benchmarks.home_assistant import StateChanges, add_entry, home_assistant
from scripts.benchmarks.loop_latency import Run, run, said

_SERVERS = ("down", "hanging")
_NOTICED_WITHIN = 20.0


def measure(options: Options) -> Iterator[Figure]:
    """Run pairs without and with the mirror, for each kind of trouble."""
    seconds, pairs = (8.0, 2) if options.quick else (60.0, 5)
    for server, (without, with_mirror, ended) in asyncio.run(_all(options, seconds, pairs)).items():
        both = list(zip(with_mirror, without, strict=True))
        note = f"median of {pairs} pairs of {seconds:.0f} s"
        p99 = median((on.p99 - off.p99) * 1000 for on, off in both)
        yield Figure(f"server {server}: added to p99", p99, "ms", 5, note=note)
        longest = median((on.worst - off.worst) * 1000 for on, off in both)
        yield Figure(f"server {server}: added to the longest", longest, "ms", 50)
        worst = max(run.worst for run in with_mirror) * 1000
        yield Figure(f"server {server}: longest of all", worst, "ms")
        yield Figure(f"server {server}: ending the mirror", max(ended), "s", 5)


async def _all(options: Options, seconds: float, pairs: int) -> dict[str, tuple[list[Run], list[Run], list[float]]]:
    found: dict[str, tuple[list[Run], list[Run], list[float]]] = {name: ([], [], []) for name in _SERVERS}
    async with AsyncExitStack() as stack:
        hass = await stack.enter_async_context(home_assistant(options.folder))
        ports = {"down": _closed_port(), "hanging": await stack.enter_async_context(_hanging_server())}
        entry = await add_entry(hass, "strata")
        changes = StateChanges(hass)
        for number in range(pairs):
            for name, (without, with_mirror, ended) in found.items():
                without.append(await run(changes, seconds))
                mirror = await _begin(hass, entry, ports[name])
                with_mirror.append(await run(changes, seconds))
                ended.append(await _end(hass, entry, mirror))
                print(
                    f"  pair {number + 1} of {pairs}, {name}: {said(without[-1])} without,"
                    f" {said(with_mirror[-1])} with the mirror",
                    flush=True,
                )
    return found


async def _begin(hass: HomeAssistant, entry: ConfigEntry[StrataData], port: int) -> ConfigSubentry:
    """Add a mirror to a server at this port, without the form, which would not take it."""
    data = {
        CONF_URL: f"http://127.0.0.1:{port}",
        CONF_SERVER: "influxdb_1",
        CONF_VERIFY_SSL: True,
        CONF_CONTENTS: [content.value for content in Content],
        CONF_DATABASE: "bench",
        CONF_PER_TIER: True,
        CONF_HISTORY: HISTORY_NOW,
    }
    subentry = ConfigSubentry(
        data=MappingProxyType(data), subentry_type=SUBENTRY_MIRROR, title=f"Mirror {port}", unique_id=str(port)
    )
    hass.config_entries.async_add_subentry(entry, subentry)
    async with asyncio.timeout(_NOTICED_WITHIN):
        # A mirror tells nobody that it has tried.
        while not _tried(entry, subentry.subentry_id):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return subentry


def _tried(entry: ConfigEntry[StrataData], subentry_id: str) -> bool:
    mirror = entry.runtime_data.mirror_set.running.get(subentry_id)
    return mirror is not None and mirror.figures.requests > 0


async def _end(hass: HomeAssistant, entry: ConfigEntry[StrataData], mirror: ConfigSubentry) -> float:
    """Remove the mirror and return the seconds until it has ended."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    hass.config_entries.async_remove_subentry(entry, mirror.subentry_id)
    async with asyncio.timeout(_NOTICED_WITHIN):
        while mirror.subentry_id in entry.runtime_data.mirror_set.running:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await entry.runtime_data.mirror_set.async_follow()
    return loop.time() - began


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@asynccontextmanager
async def _hanging_server() -> AsyncGenerator[int]:
    """Run a server that accepts, reads and never answers; give its port."""

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            pass
        writer.close()

    server = await asyncio.start_server(taken, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
