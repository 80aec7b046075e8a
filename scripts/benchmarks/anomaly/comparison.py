"""The usual methods on the same series as ours, in the same run."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import subprocess

from scripts.benchmarks.figures import Figure, Options

from .ours import strata
from .peers import METRICS, sample, score

ROOT = Path(__file__).resolve().parents[3]
_PEERS = ROOT / ".venv-bench" / "bin" / "python"


def compare(options: Options) -> Iterator[Figure]:
    """Yield each method's figures on a part of the test series, ours first."""
    homes = 1 if options.quick else 4
    cases = list(sample(homes))
    ours = score(strata, cases)
    yield from _figures("strata", ours)
    python = Path(os.environ.get("STRATA_BENCH_PYTHON", _PEERS))
    if not python.exists():
        yield Figure("other methods", 0, "", note="skipped: scripts/setup --bench installs them")
        return
    best = 0.0
    for line in _run(python, homes):
        answer = json.loads(line)
        if "missing" in answer:
            yield Figure(answer["method"], 0, "", note=f"skipped: {answer['missing']}")
            continue
        yield from _figures(answer["method"], answer)
        best = max(best, answer["f1"])
    yield Figure("F1 above that of the best other", ours["f1"] - best, "", 0.0, at_least=True)


def _run(python: Path, homes: int) -> Iterator[str]:
    command = [str(python), "-P", "-m", "scripts.benchmarks.anomaly.peers", str(homes)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as child:
        if child.stdout is not None:
            yield from (line for line in child.stdout if line.startswith("{"))


def _figures(name: str, values: dict[str, float]) -> Iterator[Figure]:
    for metric, unit in METRICS.items():
        yield Figure(f"{name}: {metric}", values[metric], unit)
