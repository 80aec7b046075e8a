"""What erasing asks of servers that are played by stubs, request by request, with a real archive beside them."""

import asyncio
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
import sqlite3
from typing import Any
from unittest.mock import patch

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pandas as pd  # noqa: F401 - pyarrow imports it, which never ends while a test holds the clock still
import pytest

from custom_components.strata.core.model import Kind, SeriesKey
from custom_components.strata.mirror.selection import Content
from custom_components.strata.mirror_coordinator import MirrorCoordinator
from custom_components.strata.store.base import StoreError
from tests.integration.given import StartHub
from tests.integration.test_archive import FIRST, KEEP, NOW, _fill, call, local
from tests.integration.test_mirror import mirror_at, mirror_of, other_stub, record, until  # noqa: F401 - a fixture
from tests.mirror_stub import ORG, StubInfluxDB2, StubInfluxDB3

pytestmark = pytest.mark.usefixtures("socket_enabled")
VIEWS = ("daily_device_runtime", "daily_energy_by_device")
EVER = ("1970-01-01T00:00:00Z", "2261-01-01T00:00:00Z")


class Remembering(StubInfluxDB2):
    """Notes what happens: each write when it is done, and each request to delete."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[Any] = []
        self.go = asyncio.Event()
        self.go.set()
        for name in ("home_raw", "home_views"):
            self.bucket(name)

    async def write(self, request: web.Request) -> web.Response:
        await self.go.wait()
        answer = await super().write(request)
        self.done.append("write")
        return answer

    async def delete(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert (body["start"], body["stop"]) == EVER
        self.done.append((dict(request.query), body["predicate"]))
        return web.Response(status=204)

    routes = StubInfluxDB2.routes | {
        ("POST", "/write"): write,
        ("POST", "/api/v2/write"): write,
        ("POST", "/api/v2/delete"): delete,
    }


def asked_for(*names: str) -> list[Any]:
    """Return what is asked of InfluxDB 2 so that nothing of some entities is left."""
    places = [("home_raw", "home_assistant_events", names)] + [("home_views", view, names) for view in VIEWS]
    return [
        ({"bucket": bucket, "org": ORG}, f'_measurement="{measurement}" AND entity_id="{name}"')
        for bucket, measurement, all_names in places
        for name in all_names
    ]


async def test_influxdb_2_is_asked_after_what_is_on_its_way_has_arrived(
    home: HomeAssistant,
    start_hub: StartHub,
    other_stub: Any,  # noqa: F811 - the fixture
) -> None:
    server = Remembering()
    entry = await start_hub(mirror_at(await other_stub(server), contents=["raw", "views"]))
    server.go.clear()
    await record(home, entry, "sensor.oven", "100")
    await until(lambda: server.writes == 1)
    erasing = asyncio.ensure_future(call(home, "erase", entities="sensor.oven", dry_run=False))
    await asyncio.sleep(0.3)
    assert server.done == []
    server.go.set()
    done = await erasing
    assert (done["problems"], done["mirrors"][0]["databases"]) == ([], ["home_raw", "home_views"])
    assert server.done == ["write", *asked_for("sensor.oven")]
    await record(home, entry, "sensor.oven", "101")
    await until(lambda: server.done[-1] == "write")


async def test_an_erasure_that_is_cut_off_leaves_the_mirror_sending(
    home: HomeAssistant,
    start_hub: StartHub,
    other_stub: Any,  # noqa: F811 - the fixture
) -> None:
    server = Remembering()
    entry = await start_hub(mirror_at(await other_stub(server), contents=["raw"]))
    server.go.clear()
    await record(home, entry, "sensor.oven", "100")
    await until(lambda: server.writes == 1)
    erasing = asyncio.ensure_future(call(home, "erase", entities="sensor.oven", dry_run=False))
    await asyncio.sleep(0.1)
    erasing.cancel()
    server.go.set()
    await asyncio.gather(erasing, return_exceptions=True)
    await record(home, entry, "sensor.oven", "101")
    await until(lambda: server.bucket("home_raw").totals() == {"sensor.oven": (2, 201.0)})


async def test_influxdb_3_says_that_it_cannot(
    home: HomeAssistant,
    start_hub: StartHub,
    other_stub: Any,  # noqa: F811 - the fixture
) -> None:
    server = StubInfluxDB3()
    url = await other_stub(server)
    server.bucket("home_raw")
    entry = await start_hub(mirror_at(url, server="influxdb_3", version="3.4.1", contents=["raw"]))
    await record(home, entry, "sensor.oven", "100")
    await until(lambda: server.bucket("home_raw").totals() == {"sensor.oven": (1, 100.0)})
    home.states.async_remove("sensor.oven")
    done = await call(home, "erase", entities="sensor.oven", dry_run=False)
    [problem] = done["problems"]
    assert problem.startswith("InfluxDB: this kind of server (influxdb_3) cannot delete rows")
    assert done["mirrors"][0]["databases"] == []
    assert server.bucket("home_raw").totals() == {"sensor.oven": (1, 100.0)}
    # Asking again would do nothing more, so it is not kept for that.
    assert not [one for one in entry.runtime_data.worker.all_series() if "sensor.oven" in str(one)]
    await record(home, entry, "sensor.pan", "1")
    await until(lambda: "sensor.pan" in server.bucket("home_raw").totals())


async def test_readings_beside_one_that_is_deleted_are_sent_again(
    home: HomeAssistant,
    start_hub: StartHub,
    other_stub: Any,  # noqa: F811 - the fixture
) -> None:
    server = Remembering()
    entry = await start_hub(mirror_at(await other_stub(server), contents=["raw", "readings"]))
    worker, mirror = entry.runtime_data.worker, mirror_of(entry)
    carbon, share, elsewhere = (
        worker.series(SeriesKey.of_tags("carbon_intensity", {"region": region}, name), kind=Kind.MEASUREMENT)
        for region, name in (("DE", "carbon"), ("DE", "renewable"), ("FR", "carbon"))
    )
    now = int(NOW.timestamp() * 1e6)
    for one, value in ((carbon, 300.0), (share, 60.0), (elsewhere, 20.0)):
        worker.put(one, now, value)
    await worker.flush()
    mirror.feed.wake()
    bucket = server.bucket("home_raw")
    await until(lambda: bucket.totals("region", "carbon").keys() == {"DE", "FR"})
    sent = len(server.done)
    replays: list[Any] = []
    with patch.object(mirror.feed, "replay", lambda *asked: replays.append(asked)):
        await mirror.async_delete_series([carbon])
    [(start, _, numbers)] = replays
    assert (start, numbers) == (0, frozenset({worker.find(share.key).id}))
    assert [each for each in server.done[sent:] if each != "write"] == [
        ({"bucket": name, "org": ORG}, '_measurement="carbon_intensity" AND region="DE"') for name in ["home_raw"]
    ] + [({"bucket": "home_views", "org": ORG}, f'_measurement="{view}" AND region="DE"') for view in VIEWS]


async def test_a_mirror_that_is_not_running_is_named(home: HomeAssistant, start_hub: StartHub) -> None:
    with patch.object(MirrorCoordinator, "async_start", side_effect=StoreError("locked")):
        entry = await start_hub(mirror_at("http://127.0.0.1:1"))
    home.states.async_set("sensor.oven", "1", {"unit_of_measurement": "W"})
    await home.async_block_till_done(wait_background_tasks=False)
    home.states.async_remove("sensor.oven")
    done = await call(home, "erase", entities="sensor.oven", dry_run=False)
    assert done["problems"] == ["InfluxDB: this mirror is not running, so nothing was deleted there"]
    # It can be asked for again when it is.
    entry.runtime_data.mirror_set.running["mirror"] = MirrorCoordinator(
        home, entry, next(iter(entry.subentries.values())), entry.runtime_data.worker
    )
    with patch.object(MirrorCoordinator, "_delete_series", return_value=["home_raw"]):
        assert (await call(home, "erase", entities="sensor.oven", dry_run=False))["problems"] == []


# With an archive in a real folder


@pytest.fixture
def usb(tmp_path: Path, freezer: FrozenDateTimeFactory) -> Generator[Path]:
    """A folder that is set up, beside a store of three months."""
    freezer.move_to(NOW)
    (tmp_path / "strata").mkdir()
    _fill(tmp_path / "strata" / "strata.db")
    folder = tmp_path / "usb"
    folder.mkdir()
    (folder / ".strata-archive").write_text("")
    with patch("custom_components.strata.retention.Retention.catch_up"):
        yield folder


def in_folder(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_names_out_of_archived_files_are_deleted_on_servers(
    home: HomeAssistant,
    start_hub: StartHub,
    other_stub: Any,  # noqa: F811 - the fixture
    usb: Path,
    tmp_path: Path,
    freezer: FrozenDateTimeFactory,
) -> None:
    server = Remembering()
    url = await other_stub(server)
    entry = await start_hub(local(usb), mirror_at(url, contents=["raw", Content.VIEWS.value]), **KEEP)
    await call(home, "archive")
    assert (usb / FIRST).exists()
    assert b"sensor.power" in in_folder(usb)
    await home.config_entries.async_unload(entry.entry_id)
    # It was called another name when nobody was there to see it, so only files know the one before.
    with sqlite3.connect(tmp_path / "strata" / "strata.db") as store:
        store.execute("UPDATE series SET labels = replace(labels, 'sensor.power', 'sensor.kettle')")
    store.close()
    await home.config_entries.async_setup(entry.entry_id)
    freezer.tick(timedelta(seconds=1))
    done = await call(home, "erase", entities="sensor.kettle", dry_run=False)
    assert (done["problems"], done["earlier_ids"]) == ([], ["sensor.power"])
    assert FIRST in done["archive_files"]
    assert not (usb / FIRST).exists()
    assert (usb / FIRST.replace(".parquet", ".r2.parquet")).exists()
    assert [each for each in server.done if each != "write"] == asked_for("sensor.kettle", "sensor.power")
    assert [name in in_folder(usb) for name in (b"sensor.power", b"sensor.energy")] == [False, True]
