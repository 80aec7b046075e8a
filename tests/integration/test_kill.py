"""A seeded sample of the kills that `scripts/bench --only kill` does many of."""

from pathlib import Path

import pytest

from scripts.benchmarks import kill_run


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_instant_nothing_acknowledged_is_lost(tmp_path: Path, seed: int) -> None:
    kills = list(kill_run.run(tmp_path, seed, kills=6))
    assert [each for each in kills if each.problems] == []
    assert sum(each.acknowledged for each in kills) > 0
    assert len({each.phase for each in kills}) > 1
