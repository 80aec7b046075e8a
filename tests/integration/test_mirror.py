"""A mirror in Home Assistant: its form, its life, what it shows, and its action."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
import json
import sys
import threading
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aiohttp import web
from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER, ConfigSubentry, ConfigSubentryDataWithId
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import Kind, Series, SeriesKey, to_micros
from custom_components.strata.diagnostics import (
    async_get_config_entry_diagnostics,
    async_get_device_diagnostics,
)
from custom_components.strata.mirror.feed import MirrorFeed
from custom_components.strata.mirror.figures import MirrorNotice, NoticeKind
from custom_components.strata.mirror.parcels import Replay
from custom_components.strata.mirror_coordinator import MirrorCoordinator, series_by_id
from custom_components.strata.repairs import async_create_fix_flow
from custom_components.strata.store.base import StoreError
from tests.integration.given import StartHub
from tests.mirror_stub import ORG, TOKEN, StubInfluxDB2, StubServer

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Result = dict[str, Any]
CONNECTION = {"username": "", "secret": TOKEN, "org": ORG, "verify_ssl": True}
CONTENTS = {
    "contents": ["raw", "readings", "hourly", "forecasts"],
    "database": "home",
    "per_tier": True,
    "use_existing": False,
}


@pytest.fixture
async def stub() -> AsyncGenerator[tuple[StubInfluxDB2, str]]:
    """Start a stub of InfluxDB 2."""
    server = StubInfluxDB2()
    yield server, await server.start()
    await server.stop()


@pytest.fixture
async def other_stub() -> AsyncGenerator[Callable[[StubServer], Awaitable[str]]]:
    """Start any other stub."""
    started: list[StubServer] = []

    async def start(server: StubServer) -> str:
        started.append(server)
        return await server.start()

    yield start
    for server in started:
        await server.stop()


def mirror_at(url: str, *, mirror_id: str = "mirror", **more: Any) -> ConfigSubentryDataWithId:
    """A mirror that is set up already."""
    data = {
        "url": url,
        "secret": TOKEN,
        "org": ORG,
        "verify_ssl": True,
        **CONTENTS,
        "history": "now",
        "server": "influxdb_2",
        "version": "2.7.11",
        "native_write": False,
        "created": ["home_raw", "home_hourly"],
        **more,
    }
    return ConfigSubentryDataWithId(
        subentry_type="mirror", title="InfluxDB", unique_id=f"{url}:home", subentry_id=mirror_id, data=data
    )


def mirror_of(entry: MockConfigEntry, mirror_id: str = "mirror") -> MirrorCoordinator:
    return entry.runtime_data.mirror_set.running[mirror_id]


async def begin(home: HomeAssistant, entry: MockConfigEntry) -> Result:
    flows = home.config_entries.subentries
    return dict(await flows.async_init((entry.entry_id, "mirror"), context={"source": SOURCE_USER}))


async def go_on(home: HomeAssistant, result: Result, answers: dict[str, Any]) -> Result:
    return dict(await home.config_entries.subentries.async_configure(result["flow_id"], answers))


def the_mirror(entry: MockConfigEntry) -> ConfigSubentry:
    (subentry,) = entry.get_subentries_of_type("mirror")
    return subentry


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def caught_up(mirror: MirrorCoordinator, points: int) -> None:
    """Wait until a mirror has brought some points and knows it.

    Its place in the feed moves right after the server's answer, and what waits is measured after that: stopped
    before, a mirror would send the points again; looked at before, it would still count them as waiting.
    """
    figures = mirror.figures

    def known() -> bool:
        moved = (figures.complete_at or 0) >= (figures.acknowledged_at or 0)
        return figures.acknowledged == points and moved and not mirror.feed.progress().waiting

    await until(known)


async def record(home: HomeAssistant, entry: MockConfigEntry, entity_id: str, state: str) -> None:
    home.states.async_set(entity_id, state, {"unit_of_measurement": "W", "friendly_name": "Oven"})
    await home.async_block_till_done(wait_background_tasks=False)
    await entry.runtime_data.worker.flush()
    for mirror in entry.runtime_data.mirror_set.running.values():
        mirror.feed.wake()


# ------------------------------------------------------------------------------------------------ form
async def test_a_mirror_is_found_out_tried_and_added(home, start_hub: StartHub, stub) -> None:
    server, url = stub
    entry = await start_hub()
    result = await begin(home, entry)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "user")
    result = await go_on(home, result, {**CONNECTION, "url": f"{url}/"})
    assert (result["type"], result["step_id"], result["errors"]) == (FlowResultType.FORM, "contents", {})
    assert result["description_placeholders"] == {"server": "InfluxDB 2", "version": "2.7.11"}
    result = await go_on(home, result, {**CONTENTS, "history": "now"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "InfluxDB 2 127.0.0.1"
    assert sorted(server.buckets) == ["home_hourly", "home_raw"]
    await until(lambda: bool(entry.runtime_data.mirror_set.running))
    subentry = the_mirror(entry)
    assert subentry.data["created"] == ["home_hourly", "home_raw"]
    assert subentry.data["server"] == "influxdb_2"
    await record(home, entry, "sensor.oven", "100")
    await until(lambda: bool(server.buckets["home_raw"].totals()))
    assert server.buckets["home_raw"].totals() == {"sensor.oven": (1, 100.0)}
    # The same again is refused.
    result = await go_on(home, await begin(home, entry), {**CONNECTION, "url": f"{url}/"})
    result = await go_on(home, result, {**CONTENTS, "history": "now"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


@pytest.mark.parametrize(
    ("answers", "errors"),
    [
        ({"url": "influxdb:8086"}, {"url": "invalid_url"}),
        ({"url": "ftp://influxdb"}, {"url": "invalid_url"}),
        ({"url": "http://user:word@influxdb"}, {"url": "invalid_url"}),
        ({"url": "http://[bad"}, {"url": "invalid_url"}),
        ({"url": "http://influxdb:8086/?token=word"}, {"url": "invalid_url"}),
        ({"url": "http://127.0.0.1:9"}, {"base": "mirror_refused"}),
    ],
)
async def test_what_is_wrong_with_the_connection_is_said(home, start_hub: StartHub, answers, errors) -> None:
    entry = await start_hub()
    result = await go_on(home, await begin(home, entry), {**CONNECTION, **answers})
    assert (result["type"], result["step_id"], result["errors"]) == (FlowResultType.FORM, "user", errors)
    assert TOKEN not in str(result["description_placeholders"])


async def test_a_website_is_no_mirror(home, start_hub: StartHub, other_stub) -> None:
    entry = await start_hub()
    url = await other_stub(StubServer())
    result = await go_on(home, await begin(home, entry), {**CONNECTION, "url": url})
    assert result["errors"] == {"base": "mirror_unsupported"}


async def test_what_is_wrong_with_the_contents_is_said_and_can_be_mended(home, start_hub: StartHub, stub) -> None:
    server, url = stub
    entry = await start_hub()
    server.bucket("home_raw")
    result = await go_on(home, await begin(home, entry), {**CONNECTION, "url": url})
    for answers, errors in (
        ({"contents": []}, {"contents": "no_contents"}),
        ({"database": "no spaces please"}, {"database": "invalid_database"}),
        ({}, {"base": "mirror_exists"}),
    ):
        result = await go_on(home, result, {**CONTENTS, "history": "now", **answers})
        assert (result["step_id"], result["errors"]) == ("contents", errors)
    assert result["description_placeholders"]["database"] == "home_raw"
    result = await go_on(home, result, {**CONTENTS, "history": "everything", "use_existing": True})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await until(lambda: bool(entry.runtime_data.mirror_set.running))
    assert the_mirror(entry).data["created"] == ["home_hourly"]


async def test_what_a_failed_try_has_made_is_ours_in_the_next(home, start_hub: StartHub, stub) -> None:
    server, url = stub
    entry = await start_hub()
    server.bucket("home_hourly")
    result = await go_on(home, await begin(home, entry), {**CONNECTION, "url": url})
    result = await go_on(home, result, {**CONTENTS, "history": "now"})
    assert result["errors"] == {"base": "mirror_exists"}
    assert "home_raw" in server.buckets
    del server.buckets["home_hourly"]
    result = await go_on(home, result, {**CONTENTS, "history": "now"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert the_mirror(entry).data["created"] == ["home_hourly", "home_raw"]


def test_series_are_found_while_others_appear() -> None:
    """Two reading threads may look at once; a series that is there is never missed."""
    key = SeriesKey.of_entity("home_assistant_events", "kettle", "value")
    known = [Series(key, Kind.MEASUREMENT, id=number) for number in range(1, 3000)]
    worker = SimpleNamespace(all_series=lambda: tuple(known))
    find = series_by_id(worker)
    missed: list[int] = []
    over = threading.Event()

    def disturb() -> None:
        while not over.is_set():
            find(10_000)

    disturber = threading.Thread(target=disturb)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    disturber.start()
    try:
        missed = [number for _ in range(3) for number in range(1, 3000) if find(number) is None]
    finally:
        over.set()
        disturber.join()
        sys.setswitchinterval(interval)
    assert missed == []


async def test_a_new_token_is_taken_over_and_an_empty_one_keeps_the_old(home, start_hub: StartHub, stub) -> None:
    server, url = stub
    server.bucket("home_raw")
    server.bucket("home_hourly")
    entry = await start_hub(mirror_at(url))
    before = mirror_of(entry)
    flows = home.config_entries.subentries
    context = {"source": SOURCE_RECONFIGURE, "subentry_id": "mirror"}
    result = dict(await flows.async_init((entry.entry_id, "mirror"), context=context))
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "reconfigure")
    assert TOKEN not in str([key.description for key in result["data_schema"].schema])
    result = await go_on(home, result, {"url": "http://127.0.0.1:9", "org": ORG, "verify_ssl": True})
    assert result["errors"] == {"base": "mirror_refused"}
    assert TOKEN not in str([key.description for key in result["data_schema"].schema])
    result = await go_on(home, result, {"url": url, "org": ORG, "verify_ssl": True})
    assert result["step_id"] == "contents"
    assert "history" not in result["data_schema"].schema
    result = await go_on(home, result, {**CONTENTS, "contents": ["raw"]})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    running = entry.runtime_data.mirror_set.running
    await until(lambda: running.get("mirror") not in (before, None))
    data = the_mirror(entry).data
    assert (data["secret"], data["contents"], data["history"]) == (TOKEN, ["raw"], "now")
    assert data["created"] == ["home_hourly", "home_raw"]
    assert home.states.get("binary_sensor.influxdb_connected").state == STATE_ON


# ------------------------------------------------------------------------------------------------ life
async def test_only_the_mirror_that_changes_is_touched(home, start_hub: StartHub, stub, other_stub) -> None:
    server, url = stub
    second = StubInfluxDB2()
    second_url = await other_stub(second)
    for name in ("home_raw", "home_hourly"):
        server.bucket(name)
        second.bucket(name)
    two = ConfigSubentryDataWithId(**{**mirror_at(second_url, mirror_id="two"), "title": "Second"})
    entry = await start_hub(mirror_at(url), two)
    kept = mirror_of(entry)
    await record(home, entry, "sensor.oven", "5")
    await until(lambda: bool(server.buckets["home_raw"].totals()) and bool(second.buckets["home_raw"].totals()))
    home.config_entries.async_remove_subentry(entry, "two")
    await until(lambda: "two" not in entry.runtime_data.mirror_set.running)
    assert mirror_of(entry) is kept
    assert er.async_get(home).async_get_entity_id("sensor", DOMAIN, "two_mirror_lag") is None
    async with asyncio.timeout(20):
        while await entry.runtime_data.worker.write(lambda store: store.load_cursor("mirror:two")) is not None:
            await asyncio.sleep(0.02)


async def test_what_was_sent_is_known_after_a_restart(home, start_hub: StartHub, stub) -> None:
    server, url = stub
    server.bucket("home_raw")
    server.bucket("home_hourly")
    entry = await start_hub(mirror_at(url))
    await record(home, entry, "sensor.oven", "5")
    await caught_up(mirror_of(entry), 1)
    await home.config_entries.async_unload(entry.entry_id)
    await home.config_entries.async_setup(entry.entry_id)
    assert mirror_of(entry).figures.acknowledged == 1
    writes = server.writes
    await record(home, entry, "sensor.oven", "6")
    await until(lambda: server.buckets["home_raw"].totals() == {"sensor.oven": (2, 11.0)})
    assert server.writes == writes + 1


async def test_a_kind_of_server_nobody_knows_is_an_issue(home, start_hub: StartHub) -> None:
    entry = await start_hub(mirror_at("http://127.0.0.1:9", server="graphite"))
    assert entry.runtime_data.mirror_set.running == {}
    assert ir.async_get(home).async_get_issue(DOMAIN, "mirror_unknown_mirror") is not None


async def test_a_store_that_fails_stops_no_hub(home, start_hub: StartHub, stub, monkeypatch, caplog) -> None:
    async def broken(self, **more):
        raise StoreError("locked")

    monkeypatch.setattr("custom_components.strata.mirror.feed.MirrorFeed.open", broken)
    entry = await start_hub(mirror_at(stub[1]))
    assert entry.runtime_data.mirror_set.running == {}
    assert "could not be started: locked" in caplog.text


# ------------------------------------------------------------------------------------------------ what is shown
async def test_what_a_mirror_shows(home, start_hub: StartHub, stub, every_entity_enabled, snapshot) -> None:
    server, url = stub
    server.bucket("home_raw")
    server.bucket("home_hourly")
    entry = await start_hub(mirror_at(url))
    mirror = mirror_of(entry)
    await record(home, entry, "sensor.oven", "5")
    await caught_up(mirror, 1)
    mirror.figures.quarantine(to_micros(dt_util.utcnow()), "home_raw", "a line", "a reason")
    await mirror.async_refresh()
    shown = {
        state.entity_id: state.state
        for state in home.states.async_all()
        if ".influxdb_" in state.entity_id and "last_ack" not in state.entity_id
    }
    assert shown == {
        "binary_sensor.influxdb_connected": STATE_ON,
        "sensor.influxdb_acknowledged_points": "1",
        "sensor.influxdb_dropped_points": "0",
        "sensor.influxdb_lag": "0.0",
        "sensor.influxdb_points_beyond_retention": "0",
        "sensor.influxdb_quarantined_points": "1",
        "sensor.influxdb_replay": "unknown",
        "sensor.influxdb_waiting_points": "0",
    }
    (line,) = home.states.get("sensor.influxdb_quarantined_points").attributes["lines"]
    assert (line["line"], line["reason"]) == ("a line", "a reason")
    acknowledged = home.states.get("sensor.influxdb_last_acknowledgement").state
    assert dt_util.parse_datetime(acknowledged) <= dt_util.utcnow()

    diagnostics = await async_get_config_entry_diagnostics(home, entry)
    assert diagnostics["mirrors"]["mirror"]["figures"]["acknowledged"] == 1
    assert diagnostics["mirrors"]["mirror"]["figures"]["poison"][0]["line"] == "a line"
    assert TOKEN not in json.dumps(diagnostics, default=str)
    device = dr.async_get(home).async_get_device_by_identifier((DOMAIN, "mirror"), entry.entry_id)
    assert await async_get_device_diagnostics(home, entry, device) == diagnostics["mirrors"]["mirror"]


async def test_refused_credentials_are_an_issue_that_leads_into_the_form(
    home, start_hub: StartHub, stub, caplog
) -> None:
    server, url = stub
    server.bucket("home_raw")
    server.bucket("home_hourly")
    entry = await start_hub(mirror_at(url))
    server.faults += [
        web.json_response({"code": "unauthorized", "message": "unauthorized access"}, status=401),
        web.json_response({"code": "unauthorized", "message": "unauthorized access"}, status=401),
    ]
    issues = ir.async_get(home)
    await record(home, entry, "sensor.oven", "5")
    await until(lambda: issues.async_get_issue(DOMAIN, "mirror_held_mirror") is not None)
    assert home.states.get("binary_sensor.influxdb_connected").state == STATE_OFF
    assert home.states.get("binary_sensor.influxdb_connected").attributes["failure"] == "unauthorized access"
    issue = issues.async_get_issue(DOMAIN, "mirror_held_mirror")
    flow = await async_create_fix_flow(home, "mirror_held_mirror", issue.data)
    flow.hass = home
    form = await flow.async_step_init()
    assert (form["step_id"], form["description_placeholders"]["mirror"]) == ("confirm", "InfluxDB")
    done = await flow.async_step_confirm({})
    (started,) = home.config_entries.subentries.async_progress()
    assert done["next_flow"][1] == started["flow_id"]
    assert started["step_id"] == "reconfigure"
    await until(lambda: issues.async_get_issue(DOMAIN, "mirror_held_mirror") is None)
    await until(lambda: server.buckets["home_raw"].totals() == {"sensor.oven": (1, 5.0)})
    assert home.states.get("binary_sensor.influxdb_connected").state == STATE_ON
    assert caplog.text.count("refuses points, which wait") == 1
    assert TOKEN not in caplog.text


async def test_every_notice_is_said_once_in_the_log(home, start_hub: StartHub, stub, caplog) -> None:
    entry = await start_hub(mirror_at(stub[1]))
    mirror = mirror_of(entry)
    for kind, detail in (
        (NoticeKind.FAILING, "nothing answers"),
        (NoticeKind.QUARANTINED, "field type conflict"),
        (NoticeKind.BACKLOG_FULL, "1234"),
        (NoticeKind.RECOVERED, ""),
    ):
        mirror._notice(MirrorNotice(kind, detail))
    issue = ir.async_get(home).async_get_issue(DOMAIN, "mirror_backlog_full_mirror")
    assert issue.translation_placeholders == {"mirror": "InfluxDB", "rows": "1234"}
    assert issue.is_persistent
    for words in ("nothing answers", "field type conflict", "oldest 1234 rows"):
        assert words in caplog.text
    home.config_entries.async_remove_subentry(entry, "mirror")
    await until(lambda: not ir.async_get(home).async_get_issue(DOMAIN, "mirror_backlog_full_mirror"))


# ------------------------------------------------------------------------------------------------ replay
async def call(home: HomeAssistant, **data: Any) -> dict[str, Any]:
    answer = await home.services.async_call(DOMAIN, "replay_mirror", data, blocking=True, return_response=True)
    return dict(answer)


async def test_a_range_is_sent_again_of_all_entities_or_of_some(home, start_hub: StartHub, stub) -> None:
    server, url = stub
    server.bucket("home_raw")
    server.bucket("home_hourly")
    entry = await start_hub(mirror_at(url))
    await record(home, entry, "sensor.oven", "5")
    await record(home, entry, "sensor.fridge", "7")
    await until(lambda: len(server.buckets["home_raw"].totals()) == 2)
    start = (dt_util.utcnow() - timedelta(hours=1)).isoformat()

    server.buckets["home_raw"].points.clear()
    answer = await call(home, start=start, entities=["sensor.fridge"], mirror="InfluxDB")
    assert answer == {"mirrors": ["InfluxDB"], "series": 1}
    await until(lambda: bool(server.buckets["home_raw"].points))
    await until(lambda: mirror_of(entry).feed.progress().replays == 0)
    assert server.buckets["home_raw"].totals() == {"sensor.fridge": (1, 7.0)}

    end = (dt_util.utcnow() + timedelta(hours=1)).isoformat()
    assert await call(home, start=start, end=end) == {"mirrors": ["InfluxDB"], "series": None}
    await until(lambda: len(server.buckets["home_raw"].totals()) == 2)


async def test_a_replay_that_cannot_be_is_refused(home, start_hub: StartHub, stub) -> None:
    entry = await start_hub()
    start, end = "2026-11-20 00:00:00", "2026-11-21 00:00:00"

    async def refused(**data: Any) -> str:
        with pytest.raises(ServiceValidationError) as caught:
            await call(home, **data)
        return str(caught.value.translation_key)

    assert await refused(start=start) == "no_mirror"
    await home.config_entries.async_unload(entry.entry_id)
    await home.config_entries.async_remove(entry.entry_id)
    entry = await start_hub(mirror_at(stub[1]))
    assert await refused(start=end, end=start) == "end_before_start"
    assert await refused(start=start, mirror="nobody") == "no_such_mirror"
    assert await refused(start=start, entities=["sensor.nobody"]) == "entity_not_recorded"
    feed = mirror_of(entry).feed
    stub[0].faults.extend([web.Response(status=500)] * 50)
    feed._replays.extend([feed_replay() for _ in range(20)])
    assert await refused(start=start, end=end) == "replay_refused"
    feed._replays.clear()


def feed_replay() -> Any:
    return Replay(0, 1)


async def test_erasing_series_reaches_their_rows_in_views(home, start_hub: StartHub, other_stub) -> None:
    asked: list[tuple[str, str]] = []

    class Remembering(StubInfluxDB2):
        async def delete(self, request: web.Request) -> web.Response:
            asked.append((request.query["bucket"], (await request.json())["predicate"]))
            return web.Response(status=204)

        routes = StubInfluxDB2.routes | {("POST", "/api/v2/delete"): delete}

    server = Remembering()
    url = await other_stub(server)
    for name in ("home_raw", "home_views"):
        server.bucket(name)
    entry = await start_hub(mirror_at(url, contents=["raw", "views"]))
    await record(home, entry, "sensor.oven", "100")
    series = [one for one in entry.runtime_data.worker.all_series() if one.labels.get("entity_id") == "sensor.oven"]
    assert await mirror_of(entry).async_delete_series(series) == ["home_raw", "home_views"]
    oven = 'entity_id="sensor.oven"'
    assert asked == [
        ("home_raw", f'_measurement="home_assistant_events" AND {oven}'),
        ("home_views", f'_measurement="daily_device_runtime" AND {oven}'),
        ("home_views", f'_measurement="daily_energy_by_device" AND {oven}'),
    ]


async def test_two_erasures_leave_one_feed(home, start_hub: StartHub, other_stub) -> None:
    """The second halts nothing, for the first has; nothing is sent before both are done, and then by one."""
    begun, go = asyncio.Event(), asyncio.Event()

    class Slow(StubInfluxDB2):
        async def delete(self, request: web.Request) -> web.Response:
            begun.set()
            await go.wait()
            return web.Response(status=204)

        routes = StubInfluxDB2.routes | {("POST", "/api/v2/delete"): delete}

    server = Slow()
    url = await other_stub(server)
    server.bucket("home_raw")
    entry = await start_hub(mirror_at(url, contents=["raw"]))
    await record(home, entry, "sensor.oven", "100")
    series = [one for one in entry.runtime_data.worker.all_series() if one.labels.get("entity_id") == "sensor.oven"]
    mirror, run = mirror_of(entry), MirrorFeed.run
    running: list[int] = [0, 0]

    async def counted(feed: MirrorFeed) -> None:
        running[0] += 1
        running[1] = max(running)
        try:
            await run(feed)
        finally:
            running[0] -= 1

    with patch.object(MirrorFeed, "run", counted):
        first = asyncio.ensure_future(mirror.async_delete_series(series))
        second = asyncio.ensure_future(mirror.async_delete_series(series))
        # Whoever is cut off while the feed is being halted leaves it running, too.
        third = asyncio.ensure_future(mirror.async_delete_series(series))
        await begun.wait()
        third.cancel()
        go.set()
        assert await first == await second == ["home_raw"]
        for _ in range(10):
            await asyncio.sleep(0)
        assert running == [1, 1]
        cut = asyncio.ensure_future(mirror.async_delete_series(series))
        await asyncio.sleep(0)
        cut.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        assert running == [1, 1]
        await mirror.async_stop()
        assert running == [0, 1]
