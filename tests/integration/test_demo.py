"""The demo as a user starts it: a process, its exit status, its report."""

import json
import os
from pathlib import Path
import re
import signal
import subprocess
from typing import Any
import urllib.request

import pytest

from scripts.demo_home.mirroring import is_there

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("demo")]

ROOT = Path(__file__).parents[2]
REAL_METER = ROOT.parent / "shared" / "data" / "home-meter"


def demo(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # In the environment that runs the tests; setup has no part in this.
    command = [ROOT / ".venv" / "bin" / "python", "-P", "-m", "scripts.demo_home", *arguments]
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "COLUMNS": "100"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600, check=False)


def read(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("demo")
    done = demo("--days", "3", "--report", "r.json", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done, read(folder / "r.json")


def test_the_report_has_the_keys_others_rely_on(simulated: tuple[Any, dict[str, Any]]):
    _, report = simulated
    assert set(report["versions"]) == {"home_assistant", "python", "strata"}
    if is_there():
        assert set(report["mirror"]) == {"server", "sent", "acknowledged", "quarantined"}
        assert report["mirror"]["acknowledged"] == report["mirror"]["sent"] > report["events"]["stored"]
        assert report["mirror"]["quarantined"] == 0
    else:
        assert report["mirror"] is None
    assert report["problems"] == []
    assert len(report["anomalies"]["found"]) == report["anomalies"]["planted"] == 7
    assert report["views"]["compared"] == 70
    assert report["archive"]["copies_verified"] == len(report["archive"]["files"]) > 0
    assert report["restore"]["rows"] == 21
    assert set(report["windows"]) == {"cheapest", "dearest", "cheapest_in_pieces", "cleanest", "mixed"}
    assert 0 < report["storage"]["reduction_pct"] < 100
    assert {"raw", "hourly", "daily"} <= set(report["tiers"])
    assert all(tier["rows"] > 0 and tier["bytes"] > 0 for tier in report["tiers"].values())
    assert set(report["downsample"]) == {"raw_rows", "hourly_rows", "daily_rows", "seconds"}
    assert (
        report["downsample"]["raw_rows"] > report["downsample"]["hourly_rows"] > report["downsample"]["daily_rows"] > 0
    )
    for source in report["sources"]:
        assert {"role", "provider", "mode", "entities", "forecast_slots"} <= set(source)
        assert source["mode"] in {"live", "recorded", "entity"}


def test_what_was_fired_is_what_is_stored(simulated: tuple[Any, dict[str, Any]]):
    _, report = simulated
    assert report["events"]["fired"] == report["events"]["stored"] > 50_000
    before = report["tiers_before_downsample"]["raw"]["rows"]
    # Each of the three steps that move something leaves four figures of its own.
    assert report["tiers"]["raw"]["rows"] + report["downsample"]["raw_rows"] == before + 3 * 4


def test_sources_say_what_their_services_say(simulated: tuple[Any, dict[str, Any]]):
    _, report = simulated
    found = {(source["role"], source["provider"]): source for source in report["sources"]}
    assert {key: source["mode"] for key, source in found.items()} == {
        ("carbon_intensity", "neso"): "recorded",
        ("carbon_intensity", "energy_charts"): "recorded",
        ("electricity_pricing", "energy_charts"): "recorded",
        ("electricity_pricing", "awattar_de"): "recorded",
        ("carbon_intensity", "entity"): "entity",
        ("electricity_pricing", "entity"): "entity",
        ("air_quality", "open_meteo"): "recorded",
        ("smart_meter", "entity"): "entity",
        ("occupancy_prediction", "calendar"): "entity",
    }
    # 18:05 in Berlin is 17:05 UTC: the table of half hours says 246 g/kWh, that of prices 142 and 139 EUR/MWh.
    assert "246" in {state.partition(".")[0] for state in found["carbon_intensity", "neso"]["entities"].values()}
    assert "0.142" in found["electricity_pricing", "awattar_de"]["entities"].values()
    assert "0.139" in found["electricity_pricing", "energy_charts"]["entities"].values()
    # Until midnight the day after: 5 h 55 min are left of today, and tomorrow is known.
    assert found["electricity_pricing", "awattar_de"]["forecast_slots"] == 30
    assert found["electricity_pricing", "energy_charts"]["forecast_slots"] == 120


def test_the_summary_can_be_read(simulated: tuple[subprocess.CompletedProcess[str], Any]):
    done, _ = simulated
    assert all(len(line) <= 100 for line in done.stdout.splitlines() if not line.startswith("["))
    assert "Everything held" in done.stdout
    assert "FAILED" not in done.stdout


def test_history_is_replayed_as_it_was(tmp_path: Path):
    rows = [
        ("100", "2024-10-01T05:00:00.000Z"),
        ("300", "2024-10-01T05:30:00.000Z"),
        ("unavailable", "2024-10-01T06:00:00.000Z"),
        ("1000", "2024-10-01T07:00:00.500Z"),
        ("2000", "2024-10-02T05:00:00.000Z"),
        ("500", "2024-10-02T06:00:00.000Z"),
        ("600", "2024-10-02T06:30:00.000Z"),
    ]
    text = ["entity_id,state,last_changed", *(f"sensor.meter,{state},{time}" for state, time in rows)]
    (tmp_path / "1.csv").write_text("\ufeff" + "\n".join(text[:5]), encoding="utf-8")
    (tmp_path / "2.csv").write_text("\n".join([text[0], *text[4:]]), encoding="utf-8")
    done = demo("--history", "1.csv", "2.csv", "--unit", "W", "--timezone", "America/Chicago", "--report", "h.json",
                cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = read(tmp_path / "h.json")
    assert report["events"] == {"fired": 7, "stored": 7}
    told = report["history"]["entities"]["sensor.meter"]
    # 0.5 h of 100 W and 0.5 h of 300 W, an hour not known, then 1000 W until midnight, which is 5:00 UTC; then 2000 W
    # for an hour and 500 W for half of one, until the last row.
    assert [(day["date"], day["hours"]) for day in told["days"]] == [("2024-10-01", 23), ("2024-10-02", 2)]
    assert told["days"][0]["kwh"] == pytest.approx(0.2 + (22 - 0.5 / 3600))
    assert told["days"][0]["covered_seconds"] == pytest.approx(82799.5)
    assert told["days"][1]["kwh"] == pytest.approx(2.25, rel=1e-6)
    assert told["max_relative_error"] < 1e-4


def test_a_real_meter_adds_up(tmp_path: Path):
    files = sorted(REAL_METER.glob("*.csv"))
    if not files:
        pytest.skip("the recordings of a real meter are not beside this checkout")
    arguments = ["--history", *files, "--unit", "W", "--timezone", "America/Chicago", "--report", tmp_path / "h.json"]
    done = demo(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    report = read(tmp_path / "h.json")
    assert report["events"]["fired"] == report["events"]["stored"] > 20_000
    assert all(told["max_relative_error"] < 1e-4 for told in report["history"]["entities"].values())


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--history", "nowhere.csv", "--unit", "W", "--timezone", "UTC"], "nowhere.csv cannot be read"),
        (["--history", "nowhere.csv"], "--history, --unit and --timezone belong together"),
        (["--days", "1"], "at least 3 days"),
    ],
)
def test_what_cannot_begin_says_why(tmp_path: Path, arguments: list[str], what: str):
    done = demo(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert what in done.stderr


@pytest.mark.requires_full("live")
def test_the_frontend_stays_up_until_interrupted(tmp_path: Path, socket_enabled: None):
    command = [ROOT / ".venv" / "bin" / "python", "-P", "-m", "scripts.demo_home", "--days", "3", "--serve"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        try:
            up = next((line for line in served.stdout if "is up on" in line), "")
            address, user, password = re.fullmatch(r".* (http://\S+)  user (\S+)  password (\S+)\n", up).groups()  # type: ignore[union-attr]
            with urllib.request.urlopen(f"{address}/manifest.json", timeout=10) as answer:
                assert json.load(answer)["name"] == "Home Assistant"
            assert (user, len(password)) == ("demo", 12)
        finally:
            served.send_signal(signal.SIGINT)
        assert served.wait(90) == 0
