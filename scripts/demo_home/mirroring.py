"""A mirror on a real InfluxDB, where `scripts/setup --full` has fetched one: everything that is stored goes there."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
import json
import math
from pathlib import Path
import socket
import subprocess
from typing import Any
import urllib.parse
import urllib.request

from homeassistant.config_entries import SOURCE_USER, SubentryFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import numpy as np

from custom_components.strata.const import SUBENTRY_MIRROR
from custom_components.strata.core.model import EXCLUDED_FLAGS, Flag
from custom_components.strata.mirror_coordinator import MirrorCoordinator
from custom_components.strata.store.reader import StoreReader
from custom_components.strata.store.worker import StoreWorker

from .core import StepError, hub
from .findings import Findings
from .stored import ALWAYS, EVENTS

SERVERS = Path(__file__).resolve().parents[2] / ".tools" / "servers"
INFLUXD = SERVERS / "usr" / "bin" / "influxd"
_DATABASES = ("demo_raw", "demo_five_minute", "demo_hourly", "demo_daily")
_PATIENCE = 120.0
_NO_VALUES = [int(flag) for flag in (*EXCLUDED_FLAGS, Flag.GAP)]

type Totals = dict[str, tuple[int, float]]
"""Count and sum of the numbers of each entity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorSeen:
    """What the mirror has counted."""

    server: str
    sent: int
    acknowledged: int
    quarantined: int

    def as_json(self) -> dict[str, object]:
        """Return it for the report."""
        return asdict(self)


def is_there() -> bool:
    """Tell whether there is a server to mirror to."""
    return (SERVERS / ".complete").exists() and INFLUXD.exists()


async def mirror_everything(hass: HomeAssistant, folder: Path, findings: Findings) -> MirrorSeen:
    """Start a server, add a mirror through its form, wait until it has everything, compare, and take it away again.

    Raises:
        StepError: the form answers something else than the next step, or the mirror does not end.
    """
    folder = folder.parent / f"{folder.name}-influxdb"
    folder.mkdir()
    server = _server(folder)
    # A process, files and requests that block: all on a thread.
    url = await asyncio.to_thread(server.__enter__)
    try:
        subentry_id = await _add(hass, url)
        mirror = hub(hass).runtime_data.mirror_set.running[subentry_id]
        await _complete(mirror)
        worker = hub(hass).runtime_data.worker
        expected = await worker.read(partial(_stored, worker=worker))
        found = await asyncio.to_thread(_mirrored, url)
        _compare(expected, found, mirror, findings)
        seen = MirrorSeen(
            server=f"{mirror.subentry.data['server']} {mirror.subentry.data['version']}",
            sent=mirror.figures.sent,
            acknowledged=mirror.figures.acknowledged,
            quarantined=mirror.figures.quarantined,
        )
        hass.config_entries.async_remove_subentry(hub(hass), subentry_id)
        await hass.async_block_till_done()
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)
    return seen


def _compare(expected: Totals, found: Totals, mirror: MirrorCoordinator, findings: Findings) -> None:
    differing = [
        name
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name, (0, 0.0))[0] != found.get(name, (0, 0.0))[0]
        or not math.isclose(expected.get(name, (0, 0.0))[1], found.get(name, (0, 0.0))[1], rel_tol=1e-9, abs_tol=1e-9)
    ]
    count = sum(values for values, _ in found.values())
    findings.check(
        "mirror: counts and sums of every entity on the server are those of the store",
        bool(found) and not differing,
        f"{count:,} values of {len(found)} entities" + (f", not so: {', '.join(differing[:5])}" if differing else ""),
    )
    figures = mirror.figures
    findings.check(
        "mirror: nothing was quarantined, dropped or given up",
        not (figures.quarantined or figures.dropped or figures.expired),
        f"{figures.acknowledged:,} points acknowledged in {figures.requests} requests",
    )


async def _add(hass: HomeAssistant, url: str) -> str:
    flows, entry = hass.config_entries.subentries, hub(hass)
    known = set(entry.subentries)
    context = SubentryFlowContext(source=SOURCE_USER)
    form: Any = await flows.async_init((entry.entry_id, SUBENTRY_MIRROR), context=context)
    answers: tuple[dict[str, object], ...] = (
        {"url": url, "verify_ssl": True},
        {
            "contents": ["raw", "readings", "five_minute", "hourly", "daily", "forecasts"],
            "database": "demo",
            "per_tier": True,
            # The home may be of any year: the demo makes databases that keep everything.
            "use_existing": True,
            "history": "everything",
        },
    )
    for answer in answers:
        form = await flows.async_configure(form["flow_id"], answer)
        if form.get("errors"):
            raise StepError(f"the mirror's form: {form['errors']} {form['description_placeholders']}")
    if form["type"] is not FlowResultType.CREATE_ENTRY:
        raise StepError(f"the mirror was not added: {form}")
    await hass.async_block_till_done()
    (subentry_id,) = set(entry.subentries) - known
    return subentry_id


async def _complete(mirror: MirrorCoordinator) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            while mirror.feed.progress().replays or not mirror.figures.acknowledged:  # noqa: ASYNC110 - looked at as a user would
                await asyncio.sleep(0.1)
            await mirror.feed.catch_up()
    except TimeoutError:
        raise StepError(f"the mirror did not get everything: {mirror.feed.progress()}") from None


def _stored(reader: StoreReader, worker: StoreWorker) -> Totals:
    """Add up what the store holds of each entity, without gaps and implausible values."""
    totals: Totals = {}
    for series in worker.all_series():
        if series.key.measurement != EVENTS:
            continue
        rows = reader.raw(series.id or 0, ALWAYS)
        good = rows.values[~np.isin(rows.flags, _NO_VALUES) & np.isfinite(rows.values)]
        name = series.labels["entity_id"]
        count, total = totals.get(name, (0, 0.0))
        if len(good):
            totals[name] = count + len(good), total + float(good.sum())
    return totals


# ------------------------------------------------------------------------------------------------ server
@contextmanager
def _server(folder: Path) -> Iterator[str]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        port, internal = one.getsockname()[1], two.getsockname()[1]
    config = folder / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{internal}"\n[meta]\n  dir = "{folder}/meta"\n'
        f'[data]\n  dir = "{folder}/data"\n  wal-dir = "{folder}/wal"\n  query-log-enabled = false\n'
        f'[monitor]\n  store-enabled = false\n[http]\n  bind-address = "127.0.0.1:{port}"\n  log-enabled = false\n',
        encoding="utf-8",
    )
    url = f"http://127.0.0.1:{port}"
    with (
        (folder / "influxdb.log").open("wb") as log,
        subprocess.Popen([INFLUXD, "-config", config], stdout=log, stderr=log) as process,
    ):
        try:
            _wait(process, url)
            yield url
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(300):
        try:
            for database in _DATABASES:
                _query(url, f"CREATE DATABASE {database}")
        except OSError:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            break
        else:
            return
    raise StepError("InfluxDB did not start")


def _query(url: str, statement: str, database: str = "") -> list[dict[str, Any]]:
    parameters = urllib.parse.urlencode({"q": statement, "db": database})
    with urllib.request.urlopen(f"{url}/query?{parameters}", data=b"", timeout=60) as answer:  # noqa: S310 - loopback
        found: list[dict[str, Any]] = json.load(answer)["results"][0].get("series", [])
    return found


def _mirrored(url: str) -> Totals:
    statement = 'SELECT COUNT("value"), SUM("value") FROM "home_assistant_events" GROUP BY "entity_id"'
    return {
        series["tags"]["entity_id"]: (int(series["values"][0][1]), float(series["values"][0][2]))
        for series in _query(url, statement, "demo_raw")
    }
