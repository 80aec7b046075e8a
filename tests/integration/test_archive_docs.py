"""The examples in docs/archive.md run on a real archive and say what is in it."""

from collections.abc import Callable, Generator
import json
from pathlib import Path
import re
import subprocess
from typing import Any

import pytest

from custom_components.strata.archive.columns import columns_of
from custom_components.strata.core.model import Kind
from tests.archive_world import World

pytestmark = pytest.mark.xdist_group("archive_docs")

PAGE = (Path(__file__).parents[2] / "docs" / "archive.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python\n# (\w+)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    made.live(75)
    made.archive()
    # A second revision, which an example that read both would count twice.
    august = next((made.folder / "usb").rglob("data_2026-08-01.parquet"))
    august.with_name("data_2026-08-01.r2.parquet").write_bytes(august.read_bytes())
    yield made
    made.store.abandon()


def _run(name: str, world: World) -> Any:
    names: dict[str, Any] = {"archive": str(world.folder / "usb")}
    exec(EXAMPLES["files"], names)  # noqa: S102 - this page's own words
    assert len(names["files"]) == 2
    exec(EXAMPLES[name], names)  # noqa: S102
    return names["result"]


def _days(world: World, name: str, kind: Kind) -> list[dict[str, float]]:
    days = [day for (identity, of, _), day in world.archived().items() if (identity, of) == (f"entity:{name}", kind)]
    return [dict(values) for _, values, _ in days]


def test_every_column_is_explained_and_none_besides() -> None:
    table = PAGE.partition("| Column |")[2].partition("\n\n")[0]
    named = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert named | {"labels"} == set(columns_of("daily"))


def test_the_example_for_pyarrow(world: World) -> None:
    found = {row["entity_id"]: row["daily_energy_sum"] for row in _run("pyarrow", world)}
    assert found["sensor.energy"] == pytest.approx(sum(day["increase"] for day in _days(world, "energy", Kind.METER)))
    power = sum(day["integral"] for day in _days(world, "power", Kind.MEASUREMENT))
    assert found["sensor.power"] == pytest.approx(power / 3_600_000)


def test_the_example_for_duckdb(world: World) -> None:
    rows = [row for row in _run("duckdb", world) if row[0] == "sensor.mode"]
    covered = sum(day["covered"] for day in _days(world, "mode", Kind.TEXT))
    assert sum(row[3] for row in rows) == pytest.approx(covered / 3_600_000_000)
    assert {row[2] for row in rows} == {"heat", "cool", "Straße 7", ""}


@pytest.mark.requires_full("spark")
def test_the_example_for_spark(world: World, full_part: Callable[[str], Path], tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    show = "import json\nprint('ANSWER', json.dumps([row.asDict() for row in result]))\nspark.stop()\n"
    begin = f"archive = {str(world.folder / 'usb')!r}\n"
    script.write_text(f"{begin}{EXAMPLES['files']}\n{EXAMPLES['spark']}\n{show}", encoding="utf-8")
    ran = subprocess.run(
        [full_part("spark"), str(script)], capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path
    )
    [answer] = [line for line in ran.stdout.splitlines() if line.startswith("ANSWER")] or [ran.stderr[-2000:]]
    rows = {row["entity_id"]: row for row in json.loads(answer.removeprefix("ANSWER "))}
    days = _days(world, "power", Kind.MEASUREMENT)
    assert rows["sensor.power"]["samples"] == sum(day["n"] for day in days)
    mean = sum(day["integral"] for day in days) / sum(day["covered"] for day in days) * 1e6
    assert rows["sensor.power"]["mean"] == pytest.approx(mean)
    assert rows["sensor.power"]["highest"] == max(day["max"] for day in days)
