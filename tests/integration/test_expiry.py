"""Days are deleted without an archive only where the user says so, only those past their own time, and nothing else."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
import pandas as pd  # noqa: F401 - pyarrow imports it, which never ends while a test holds the clock still
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import Kind, Row, SeriesKey, TimeRange, to_micros
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import DEFAULT_LADDER
from tests.integration.given import StartHub

pytestmark = pytest.mark.xdist_group("expiry")

START = datetime(2026, 7, 31, 22, tzinfo=UTC)
"""Midnight in Berlin on 1 August."""
DAYS = 110
NOW = START + timedelta(days=DAYS, hours=2)
"""An hour after midnight: the clocks have gone back."""
DAY = 86_400_000_000
KEEP = {"raw": 2, "five_minute": 3, "hourly": 10, "daily": 40}
RULES = [
    {"entities": ["sensor.short"], "daily": 15},
    {"entities": ["sensor.long"], "daily": 75},
    {"entities": ["sensor.for_ever"], "daily": 0},
]
SAID = {"rules": RULES, "pinned": ["sensor.pinned"], "kinds": ["cost"]}
KEPT_DAYS = {
    "plain": 40,
    "energy": 40,
    "short": 15,
    "long": 75,
    "for_ever": None,
    "pinned": None,
    "cost": None,
}
"""How long the days of each entity are kept by these options; None is for ever."""
CLASSES = {"energy": "energy", "cost": "monetary"}


def _fill(path: Path) -> None:
    clock = [to_micros(START)]
    ladder = DEFAULT_LADDER.keeping({tier: timedelta(days=days) for tier, days in KEEP.items()})
    with SqliteStore(path, timezone="Europe/Berlin", ladder=ladder, now=lambda: clock[0]) as store:
        made = {
            name: store.series(
                SeriesKey.of_entity("home_assistant_events", name),
                kind=Kind.METER if name == "energy" else Kind.MEASUREMENT,
                unit="kWh" if name == "energy" else "W",
                labels={"entity_id": f"sensor.{name}", "friendly_name": name, "device_class": CLASSES.get(name, "")},
            )
            for name in KEPT_DAYS
        }
        for step in range(4 * DAYS):
            clock[0] = to_micros(START) + step * DAY // 4
            store.write([Row(series, clock[0], float(step)) for series in made.values()], heartbeat=clock[0])
        clock[0] = to_micros(NOW)
        store.write([], heartbeat=clock[0])
        store.roll_up()
        while store.refresh_views().waiting:
            pass
        for tier in ("raw", "five_minute", "hourly"):
            store.downsample(tier)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("filled") / "strata.db"
    _fill(path)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def _given(tmp_path: Path, filled: bytes, freezer: FrozenDateTimeFactory) -> Generator[None]:
    """A store of 110 days; the ladder looks at nothing by itself."""
    (tmp_path / "strata").mkdir()
    (tmp_path / "strata" / "strata.db").write_bytes(filled)
    freezer.move_to(NOW)
    with patch("custom_components.strata.retention.Retention.catch_up"):
        yield


def said(**more: Any) -> dict[str, Any]:
    return {"keep": KEEP, "retention": {**SAID, **more}}


async def call(home: HomeAssistant, name: str, **data: Any) -> dict[str, Any]:
    return await home.services.async_call(DOMAIN, name, data, blocking=True, return_response=True)


async def days(entry: MockConfigEntry) -> dict[str, dict[int, tuple[float, ...]]]:
    """Return all days of every entity, with everything that is kept of them."""
    worker = entry.runtime_data.worker
    found = {}
    for name in KEPT_DAYS:
        series = worker.find(SeriesKey.of_entity("home_assistant_events", name))
        rolled = await worker.read(
            lambda reader, one=series: reader.tier("daily", one.id, one.kind, TimeRange(0, 2**61))
        )
        columns = [column.tolist() for column in rolled.columns.values()]
        every = zip(rolled.starts.tolist(), zip(*columns, strict=True), strict=True)
        # Days that are told anew while the test lets time go by are not of interest.
        found[name] = {start: row for start, row in every if start < to_micros(NOW) - DAY}
    return found


async def views(home: HomeAssistant) -> dict[str, Any]:
    return {
        view: await call(home, "query_view", view=view, start="2026-08-01", end="2026-11-18")
        for view in ("daily_energy_by_device", "hourly_energy_summary")
    }


def due(name: str, start: int, now: datetime) -> bool:
    """Tell whether a day may go: it, and all the others that share its 32 days, are past their time."""
    keep = KEPT_DAYS[name]
    return keep is not None and (start // (32 * DAY) + 1) * 32 * DAY <= to_micros(now) - keep * DAY


async def test_only_what_is_past_its_own_time_goes_and_all_else_stays_as_it_is(
    home: HomeAssistant, start_hub: StartHub
) -> None:
    entry = await start_hub(**said(expire_days=True))
    before, seen = await days(entry), await views(home)
    assert {name: len(rows) for name, rows in before.items()} == dict.fromkeys(KEPT_DAYS, DAYS)
    assert seen["daily_energy_by_device"]["rows"]

    await call(home, "downsample", tier="hourly", dry_run=True)
    assert await days(entry) == before

    await call(home, "downsample", tier="hourly")
    expected = {
        name: {start: row for start, row in rows.items() if not due(name, start, NOW)} for name, rows in before.items()
    }
    after = await days(entry)
    assert after == expected
    assert {name for name in KEPT_DAYS if len(after[name]) < DAYS} == {"plain", "energy", "short", "long"}
    assert len(after["short"]) == len(after["plain"]) < len(after["long"]), "32 days go together"
    # The other layers, and what was made of the days while they were there.
    assert await views(home) == seen
    history = await call(home, "query_history", entity_id="sensor.plain", start=START.isoformat(), end=NOW.isoformat())
    told = [row["start"] for segment in history["series"][0]["segments"] for row in segment["rows"]]
    assert told[0] == datetime.fromtimestamp(min(after["plain"]) / 1e6, UTC).isoformat()
    # It is in the journal, once, with what it was.
    journal = await entry.runtime_data.worker.read(lambda reader: reader.operations())
    (told_of,) = (one for one in journal if one.operation_type == "expire_daily")
    assert told_of.records_processed == sum(len(before[name]) - len(after[name]) for name in KEPT_DAYS)
    await call(home, "downsample", tier="hourly")
    assert await days(entry) == after


async def test_as_time_goes_by_the_rest_follows_and_what_is_for_ever_stays(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    entry = await start_hub(**said(expire_days=True))
    before = await days(entry)
    for later in (20, 45, 120, 6 * 366):
        now = NOW + timedelta(days=later)
        freezer.move_to(now)
        await call(home, "downsample", tier="hourly")
        after = await days(entry)
        assert {name: [*rows] for name, rows in after.items()} == {
            name: [start for start in rows if not due(name, start, now)] for name, rows in before.items()
        }
    assert {name for name in KEPT_DAYS if after[name]} == {"for_ever", "pinned", "cost"}
    assert all(after[name] == before[name] for name in ("for_ever", "pinned", "cost"))


@pytest.mark.parametrize("later", [0, 6 * 366])
async def test_nothing_goes_where_the_user_has_not_said_so(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory, later: int
) -> None:
    entry = await start_hub(**said())
    before = await days(entry)
    freezer.move_to(NOW + timedelta(days=later))
    for tier in ("raw", "five_minute", "hourly"):
        await call(home, "downsample", tier=tier)
    assert await days(entry) == before


async def test_days_that_no_archive_has_stay_while_one_is_set_up(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path, freezer: FrozenDateTimeFactory
) -> None:
    gone = tmp_path / "not mounted"
    usb = ConfigSubentryDataWithId(
        subentry_type="archive",
        title="USB",
        unique_id=f"local:{gone}",
        subentry_id="usb",
        data={"target": "local", "path": str(gone)},
    )
    entry = await start_hub(usb, **said(expire_days=True))
    before = await days(entry)
    for later in (0, 100, 6 * 366):
        freezer.move_to(NOW + timedelta(days=later))
        try:
            answer = await call(home, "archive")
        except HomeAssistantError:
            pass
        else:
            assert answer["rows_deleted"] == 0
        await call(home, "downsample", tier="hourly")
        assert await days(entry) == before


async def test_a_pin_holds_after_a_rename(home: HomeAssistant, start_hub: StartHub) -> None:
    """The series of the registry entry is the one that was pinned."""
    registry = er.async_get(home)
    known = registry.async_get_or_create("sensor", "demo", "1", suggested_object_id="plug")
    entry = await start_hub(**said(expire_days=True, pinned=["sensor.plug"]))
    worker = entry.runtime_data.worker
    series = worker.series(
        SeriesKey.of_entity("home_assistant_events", known.id),
        kind=Kind.MEASUREMENT,
        labels={"entity_id": "sensor.plug", "domain": "sensor"},
    )
    await worker.flush()
    source = worker.find(SeriesKey.of_entity("home_assistant_events", "short"))
    rolled = await worker.read(lambda reader: reader.tier("daily", source.id, source.kind, TimeRange(0, 2**61)))
    await worker.write(lambda store: store.put_buckets("daily", [(series, rolled)]))
    registry.async_update_entity("sensor.plug", new_entity_id="sensor.kettle")
    await home.async_block_till_done()
    await call(home, "downsample", tier="hourly")
    left = await worker.read(lambda reader: reader.tier("daily", series.id, series.kind, TimeRange(0, 2**61)))
    assert len(left) == DAYS
    assert entry.options["retention"]["pinned"] == ["sensor.kettle"]
    assert len((await days(entry))["plain"]) < DAYS


async def test_the_action_heeds_pins_and_rules_as_the_night_does(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    """A user who hands a layer down by hand must not lose what is to be kept."""
    home.states.async_set("sensor.fridge", "60", {"unit_of_measurement": "W"})
    home.states.async_set("sensor.lamp", "5", {"unit_of_measurement": "W"})
    entry = await start_hub(keep=KEEP, retention={"pinned": ["sensor.fridge"]})
    worker = entry.runtime_data.worker
    await worker.flush()
    later = to_micros(NOW) + 30 * DAY
    await worker.write(lambda store: store.roll_up(later))
    freezer.move_to(NOW + timedelta(days=30))
    foretold = await call(home, "downsample", tier="raw", dry_run=True)
    told = await call(home, "downsample", tier="raw")
    assert foretold["source_rows"] == told["source_rows"] > 0
    assert (told["dry_run"], told["problems"]) == (False, [])
    left = {
        name: len(await worker.read(lambda reader, one=series: reader.raw(one.id, TimeRange(0, 2**61))))
        for name in ("fridge", "lamp")
        if (series := worker.find(SeriesKey.of_entity("home_assistant_events", f"sensor.{name}")))
    }
    assert left == {"fridge": 1, "lamp": 0}
