"""pyarrow is linked before it is imported, and whoever waits for the linker leaves the interpreter to others.

Each test runs in a process of its own, which has not imported pyarrow yet.
"""

from pathlib import Path
import subprocess
import sys

import pytest

from custom_components.strata.archive.linking import link, link_pyarrow

_MAPPED = """
from pathlib import Path
import sys

def mapped():
    lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return {line.split()[-1] for line in lines if "/pyarrow/" in line and ".so" in line}

at_import = []

def hear(event, given):
    if event == "import" and given[0] == "pyarrow.lib":
        at_import.append(mapped())

sys.addaudithook(hear)
path = Path(sys.argv[1])
"""
_END = """
assert len(at_import[0]) > 8, at_import
assert at_import[0] == mapped(), mapped() ^ at_import[0]
"""
_WORKS = {
    "writing a file, which reads it": """
from tests.unit.archive.given import month
from custom_components.strata.archive.parquet import write
write(path, month(1))
""",
    "reading": """
from custom_components.strata.archive.parquet import read
assert len(list(read(path))) == 4
""",
    "describing": """
from custom_components.strata.archive.parquet import describe
assert describe(path).rows
import pyarrow.compute
""",
    "exporting": """
from tests.unit.archive.given import month
from custom_components.strata.exports import ParquetExport
export = ParquetExport(path.with_name("export.parquet"), "daily")
export.open()
export.write(month(1)[0])
export.end()
""",
}


def run(program: str, path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("work", _WORKS)
def test_nothing_is_left_for_the_import_to_link(work: str, tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    if work in {"reading", "describing"}:
        run(_MAPPED + _WORKS["writing a file, which reads it"], path)
    run(_MAPPED + _WORKS[work] + _END, path)


def test_the_linker_is_waited_for_without_the_interpreter(tmp_path: Path) -> None:
    """A pipe that nobody writes to makes the linker wait as long as it takes others to run Python."""
    program = """
import os, sys, threading
from pathlib import Path
from custom_components.strata.archive.linking import link

pipe = Path(sys.argv[1])
os.mkfifo(pipe)
thread = threading.Thread(target=link, args=([pipe],))
thread.start()
while True:
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        break
    except OSError:
        pass  # Until the linker has opened it and waits.
thread.join()
"""
    run(program, tmp_path / "library.so")


def test_what_cannot_be_linked_is_left_to_the_import(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.so"
    nothing.write_bytes(b"no library")
    link([nothing, tmp_path / "missing.so"])
    link_pyarrow()
