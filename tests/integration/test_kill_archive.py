"""A seeded sample of the kills that `scripts/bench --only kill_archive` does many of."""

import json
from pathlib import Path
import subprocess
import sys

ROOT = Path(__file__).parents[2]
SAMPLE = """
import json, sys
from pathlib import Path
from scripts.benchmarks.kill_archive_life import BUCKET_NAME
from scripts.benchmarks.kill_archive_run import run
from tests import moto_s3

with moto_s3.running() as url:
    moto_s3.empty_bucket(url, BUCKET_NAME)
    kills = list(run(Path(sys.argv[1]), 7, 6, url))
print(json.dumps([[kill.phase, kill.days, list(kill.problems)] for kill in kills]))
"""


def test_killed_anywhere_every_value_is_there_once_and_every_file_whole(tmp_path: Path) -> None:
    # In a process without threads and without Home Assistant: it forks the ones that are killed.
    ran = subprocess.run(
        [sys.executable, "-c", SAMPLE, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    kills = json.loads(ran.stdout.splitlines()[-1])
    assert [kill for kill in kills if kill[2]] == []
    assert len(kills) == 6
    assert kills[-1][1] > 0
