"""Home Assistant's backups stop the store for as long as they copy it."""

from pathlib import Path
import shutil
import sqlite3

from homeassistant.core import HomeAssistant
import pytest

from custom_components.strata import backup
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.reader import StoreReader
from tests.integration.given import StartHub


async def test_a_backup_holds_writes_and_lets_go(home: HomeAssistant, start_hub: StartHub, tmp_path: Path) -> None:
    entry = await start_hub()
    data = entry.runtime_data
    home.states.async_set("light.hall", "on")
    await backup.async_pre_backup(home)
    assert data.hold.active
    home.states.async_set("light.hall", "off")
    copy = tmp_path / "copy.db"
    await home.async_add_executor_job(shutil.copy, data.worker.path, copy)
    with sqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    with StoreReader(copy) as reader:
        light = next(series for series in reader.series() if series.labels.get("entity_id") == "light.hall")
        # Wherever the row lies by now, it is what was said before the copy.
        assert reader.last()[light.id or 0].value == 1.0
    await backup.async_post_backup(home)
    assert not data.hold.active
    assert await data.worker.flush()
    assert data.worker.counters.waiting == 0


async def test_without_a_hub_there_is_nothing_to_hold(home: HomeAssistant) -> None:
    await backup.async_pre_backup(home)
    await backup.async_post_backup(home)


async def test_unloading_during_a_backup_stores_what_waits(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    await backup.async_pre_backup(home)
    home.states.async_set("light.hall", "on")
    worker = entry.runtime_data.worker
    assert await home.config_entries.async_unload(entry.entry_id)
    assert (worker.counters.waiting, worker.counters.dropped) == (0, 0)


async def test_a_store_that_cannot_be_written_does_not_stop_the_backup(
    home: HomeAssistant, start_hub: StartHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await start_hub()

    def fails() -> None:
        raise StoreError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(entry.runtime_data.worker._store, "begin_copy", fails)
        await backup.async_pre_backup(home)
    assert "backed up as it is" in caplog.text
    assert not entry.runtime_data.hold.active
    await backup.async_post_backup(home)
