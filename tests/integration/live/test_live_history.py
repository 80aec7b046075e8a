"""Years of history in the newest Home Assistant: brought in, archived, asked for again, and what is left of them."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.live.answers import all_states, kept_store_is_sound
from tests.integration.live.process import PASSWORD, USER, LiveHome, wait_for
from tests.s3_stub import BUCKET, Refusal, S3Stub

if TYPE_CHECKING:
    from tests.integration.live.person import Person

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("live")]

ENTITY = "input_number.grid_carbon"
SECRET = "never-to-be-shown"
LONG_AGO, LATELY = range(800, 740, -1), range(80, 60, -1)
"""Days ago of which the recorder has statistics: some past the time days are kept, some within that of hours."""


@pytest.fixture
def bucket(home: LiveHome) -> Generator[S3Stub]:
    with S3Stub() as stub:
        yield stub


@pytest.mark.requires_full("live", "browser")
def test_a_person_archives_years_and_asks_for_them(
    home: LiveHome, person: Person, bucket: S3Stub, tmp_path: Path
) -> None:
    home.post(f"/api/config/config_entries/flow/{_begin(home)}")
    person.log_in(USER, PASSWORD)
    bring_history_in(home, person)

    usb = tmp_path / "usb"
    person.open_integration("strata")
    add_folder(person, usb)
    add_bucket(person, bucket)
    months = archive_fails_and_goes_on(home, person, bucket)
    kept = {file.relative_to(usb).as_posix() for file in usb.rglob("*") if file.is_file()}
    assert kept - {".strata-archive"} == set(bucket.objects)
    person.open_integration("strata")
    person.open_device(str(usb))
    wait_for(lambda: person.shown("Archived months") == f"{months} months", "the months on the archive's page")
    assert person.shown("Failing") == "OK"
    assert "Unknown" not in person.shown("Last success")
    person.look("archive-device")

    history_answers(home)
    person.open_integration("strata")
    shorter_hours_are_shown_first(person)
    assert SECRET not in json.dumps(diagnostics(home))

    person.open_integration("strata")
    person.delete_hub()
    assert not [entity for entity in all_states(home) if "strata" in entity or entity.endswith("_failing")]
    assert {path.name for path in (home.folder / "strata").iterdir()} == {"strata.db", "exports"}
    assert list((home.folder / ".storage").glob("strata*")) == []
    kept_store_is_sound(home)
    assert len(list(usb.rglob("*.parquet"))) == months, "archives stay"
    assert person.console == []
    told = [line.partition("] ")[2] for line in home.complaints]
    assert len(told) == 2, "what was not archived, and the archive that did not take it"
    assert all("was not archived, and stays" in line or "nothing is deleted meanwhile" in line for line in told)


def _begin(home: LiveHome) -> str:
    return str(home.post("/api/config/config_entries/flow", {"handler": "strata"})["flow_id"])


def diagnostics(home: LiveHome) -> Any:
    entry = home.strata_entry()
    assert entry is not None
    return home.get(f"/api/diagnostics/config_entry/{entry['entry_id']}")


def bring_history_in(home: LiveHome, person: Person) -> None:
    """Give the recorder statistics, and import them: 100 and 200 in turns, an hour each."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [today + timedelta(days=-ago, hours=hour) for ago in (*LONG_AGO, *LATELY) for hour in range(24)]
    person.ask(
        "recorder/import_statistics",
        metadata={
            "statistic_id": ENTITY,
            "source": "recorder",
            "name": None,
            "unit_of_measurement": "gCO2eq/kWh",
            "unit_class": None,
            "has_sum": False,
            "mean_type": 1,
        },
        stats=[
            {"start": start.isoformat(), "mean": value, "min": value, "max": value}
            for start in starts
            for value in (100 + start.hour % 2 * 100,)
        ],
    )

    def there() -> bool:
        answer = person.ask(
            "recorder/statistics_during_period",
            start_time=starts[0].isoformat(),
            statistic_ids=[ENTITY],
            period="month",
        )
        return ENTITY in answer

    wait_for(there, "statistics of the recorder")
    home.action("import_history", {"source": "recorder", "entities": [ENTITY]})
    wait_for(lambda: "daily" in ask_history(home)["tiers"], "imported days")


def ask_history(home: LiveHome) -> dict[str, Any]:
    """Ask for the days of long ago."""
    start, end = (datetime.now(UTC) - timedelta(days=days) for days in (LONG_AGO[0] + 1, LONG_AGO[-1]))
    asked = {"entity_id": ENTITY, "start": start.isoformat(), "end": end.isoformat(), "tier": "daily"}
    answer: dict[str, Any] = home.action("query_history", asked)
    return answer


def add_folder(person: Person, folder: Path) -> None:
    person.add_archive()
    person.sees_form("Where should the archive go?")
    person.choose_page("A folder")
    person.sees_form("A folder")
    person.text_field("Path").fill("share/strata")
    person.submit()
    person.reads("Enter the whole path")
    person.text_field("Path").fill(str(folder))
    person.submit()
    person.reads("There is no such folder")
    person.look("no-folder")
    folder.mkdir()
    person.submit()
    person.sees_form("Is this the right disk?")
    person.look("same-disk")
    assert [*folder.iterdir()] == []
    person.submit()
    person.sees_form("Success")
    person.end_form("Finish")


def add_bucket(person: Person, bucket: S3Stub) -> None:
    person.add_archive()
    person.choose_page("An S3 bucket")
    person.sees_form("An S3 bucket")
    for label, text in (
        ("Address of the server", bucket.url),
        ("Bucket", "elsewhere"),
        ("Access key ID", "AKIASTRATA"),
        ("Secret access key", SECRET),
    ):
        person.text_field(label).fill(text)
    person.submit()
    person.reads("There is no such bucket")
    person.look("no-bucket")
    person.text_field("A bucket that exists").fill(BUCKET)
    bucket.refuse = lambda method, key, headers: Refusal(403, "SignatureDoesNotMatch")
    person.submit()
    person.reads("The server refuses the key")
    person.look("wrong-key")
    bucket.refuse = lambda method, key, headers: None
    person.submit()
    person.sees_form("Success")
    person.end_form("Finish")
    assert bucket.objects == {}, "what was tried is gone"


def archive_fails_and_goes_on(home: LiveHome, person: Person, bucket: S3Stub) -> int:
    """Archive while the bucket refuses and when it does not; return how many months there are."""
    planned = home.action("archive", {"dry_run": True})
    assert len(planned["files"]) == len(planned["periods"])
    # Sixty days of long ago touch two to four months; twenty of lately one or two, which are over as well.
    assert len(planned["periods"]) in {3, 4, 5, 6}

    bucket.refuse = lambda method, key, headers: Refusal(403, "AccessDenied")
    failed = home.action("archive")
    assert failed["rows_deleted"] == 0
    assert len(failed["problems"]) == len(planned["periods"])
    person.see_repairs()
    person.reads(f"The archive 127.0.0.1 {BUCKET} takes no files")
    person.look("repairs")

    bucket.refuse = lambda method, key, headers: None
    done = home.action("archive")
    assert done["problems"] == []
    # A day in Berlin is none of UTC: those of long ago are 60 with the rest of an hour or two on another one.
    assert done["rows_deleted"] in {len(LONG_AGO), len(LONG_AGO) + 1}
    assert person.ask("repairs/list_issues") == {"issues": []}
    return len(planned["periods"])


def history_answers(home: LiveHome) -> None:
    """What left the store is answered from the archive, and every action that hands history out does."""
    start, end = (datetime.now(UTC) - timedelta(days=days) for days in (LONG_AGO[5], LONG_AGO[3]))
    asked = {"start": min(start, end).isoformat(), "end": max(start, end).isoformat(), "entities": [ENTITY]}
    rows = home.action("restore", asked)["rows"]
    assert {row["entity_id"] for row in rows} == {ENTITY}
    assert {row["avg_value"] for row in rows} == {150.0}
    assert home.action("query_view", {"view": "daily_energy_by_device"})["view"] == "daily_energy_by_device"
    export = home.action("export", {"entities": [ENTITY], "tier": "hourly", "format": "csv", "name": "live_test"})
    assert export["rows"] >= 24 * len(LATELY)
    assert (home.folder / export["file"]).stat().st_size == export["bytes"]
    (home.folder / export["file"]).unlink()
    erased = home.action("erase", {"entities": [ENTITY]})
    assert (erased["dry_run"], erased["problems"]) == (True, [])
    assert erased["archive_files"]


def shorter_hours_are_shown_first(person: Person) -> None:
    person.configure_hub()
    person.sees_form("Options")
    person.choose_page("History")
    person.sees_form("History")
    person.number_field("Hourly summaries").fill("50")
    person.submit()
    person.sees_form("What this deletes")
    assert ENTITY in person.description("rows (")
    person.look("preview")
    person.submit()
    person.sees_form("Success")
    person.end_form("Finish")
