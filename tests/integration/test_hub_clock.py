"""A hub whose system clock was wrong at its start."""

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pandas as pd  # noqa: F401 - pyarrow imports it, which never ends while a test holds the clock still
import pytest

from custom_components.strata.const import DOMAIN
from tests.integration.given import StartHub
from tests.integration.test_archive import FIRST, KEEP, NOW, filled, local, usb  # noqa: F401 - fixtures

AHEAD = timedelta(days=3650)


@pytest.fixture(autouse=True)
def steady() -> SimpleNamespace:
    """The clock that only ever runs on."""
    clock = SimpleNamespace(now=1_000.0)
    clock.monotonic = lambda: clock.now
    with patch("custom_components.strata.clock_follower.time", clock):
        yield clock


async def archive(home: HomeAssistant) -> None:
    await home.services.async_call(DOMAIN, "archive", {}, blocking=True, return_response=True)


async def test_archives_and_rows_outlive_a_start_ten_years_ahead(
    home: HomeAssistant,
    start_hub: StartHub,
    usb: Path,  # noqa: F811 - the fixture
    freezer: FrozenDateTimeFactory,
    steady: SimpleNamespace,
) -> None:
    freezer.move_to(NOW)
    options = {**KEEP, "archives": {"keep_years": 5}}
    entry = await start_hub(local(usb), **options)
    await archive(home)
    assert (usb / FIRST).exists()
    await home.config_entries.async_unload(entry.entry_id)

    freezer.move_to(NOW + AHEAD)
    await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    retention = entry.runtime_data.retention
    sizes = await entry.runtime_data.worker.read(lambda reader: reader.sizes())
    assert not retention.hooks.believes_clock()
    assert await retention.catch_up() == []
    await archive(home)
    assert (usb / FIRST).exists(), "archives are older than five years by a clock that is not believed"
    after = await entry.runtime_data.worker.read(lambda reader: reader.sizes())
    assert after.tiers["hourly"].rows == sizes.tiers["hourly"].rows > 0

    home.states.async_set("sensor.kettle", "230", {"unit_of_measurement": "W", "device_class": "power"})
    await home.async_block_till_done()
    await entry.runtime_data.worker.flush()
    freezer.move_to(NOW + timedelta(minutes=5))
    steady.now += 300
    worker = entry.runtime_data.worker
    await retention.hooks.believes_clock.__self__.follow()  # type: ignore[attr-defined] - a method of the follower
    await home.async_block_till_done()
    assert entry.runtime_data.worker is not worker, "everything that remembers moments begins anew"
    assert entry.runtime_data.retention.hooks.believes_clock()
    told = await home.services.async_call(
        DOMAIN, "query_history", {"entity_id": "sensor.kettle"}, blocking=True, return_response=True
    )
    [series] = told["series"]
    times = [datetime.fromisoformat(row["time"]) for part in series["segments"] for row in part["rows"]]
    assert times == [NOW]
