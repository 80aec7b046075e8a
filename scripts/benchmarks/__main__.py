"""Runs the measurements, each in a process of its own, and says which promises are kept."""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
import importlib
import json
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any

from scripts.benchmarks.figures import Figure, Options, machine

ROOT = Path(__file__).resolve().parents[2]
MEASUREMENTS: Mapping[str, str] = {
    "store_day": "24 h at 200K events/day in a process without Home Assistant: bytes written and kept, memory",
    "ladder_year": "a year of 10K and of 100K events/day: what the ladder takes and saves, what the loop notices",
    "views": "30 days of 100K events/day: a view against our best query over raw chunks, with a writer committing",
    "bulk_ingest": "1.4 M changes as fast as they go in",
    "kill": "kill -9 at 200 seeded instants",
    "kill_archive": "the same through the whole ladder, with archives in a folder and on a failing S3 server",
    "loop_latency": "2,000 state changes/s in a real Home Assistant: what the event loop notices",
    "ladder_loop": "what the event loop notices of the ladder and of archiving, in a real Home Assistant",
    "loop_latency_mirror": "the same while a mirror's server is down, or takes requests and never answers",
    "mirror": "a mirror that catches up a day of 200,000 changes on a real InfluxDB",
    "windows": "windows against brute force on 10,000 random cases, and 7 days of five-minute slots",
    "anomaly": "anomalies in simulated homes with planted faults, beside the usual methods",
    "add_source": "a source added while 500 changes/s arrive",
}
"""Modules of this package that have `measure(Options) -> Iterable[Figure]`, in the order they run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; return 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--only", action="append", choices=list(MEASUREMENTS), help="only this measurement")
    parser.add_argument("--quick", action="store_true", help="shorter runs, rougher figures")
    parser.add_argument("--folder", type=Path, default=ROOT, help="on the disk to measure (default: the checkout)")
    parser.add_argument("--list", action="store_true", help="name the measurements")
    parser.add_argument("--inside", choices=list(MEASUREMENTS), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.list:
        print(*(f"{name:<21}{what}" for name, what in MEASUREMENTS.items()), sep="\n")
        return 0
    if options.inside:
        return _inside(options.inside, Options(options.folder, options.quick))
    facts = machine(options.folder)
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    results = {name: _outside(name, options.folder, quick=options.quick) for name in options.only or list(MEASUREMENTS)}
    if options.report:
        report = {"machine": facts, "quick": options.quick, "measurements": results}
        options.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    missed = [name for result in results.items() for name in _missed(*result)]
    print("\nall promises kept" if not missed else "\nmissed: " + "; ".join(missed))
    return 1 if missed else 0


def _missed(name: str, result: Mapping[str, Any]) -> list[str]:
    missed = [f"{name}: {figure['name']}" for figure in result["figures"] if not figure["passed"]]
    return missed if result["ended"] else [*missed, f"{name}: did not end well"]


def _outside(name: str, folder: Path, *, quick: bool) -> dict[str, Any]:
    """Run one measurement in a process of its own, in a folder that goes away with it."""
    print(f"\n{name}: {MEASUREMENTS[name]}", flush=True)
    own = Path(tempfile.mkdtemp(prefix=".bench-", dir=folder))
    began = time.monotonic()
    answer = own / "figures.json"
    try:
        command = [sys.executable, "-P", "-m", "scripts.benchmarks", "--inside", name, "--folder", str(own)]
        ended = subprocess.run([*command, *(["--quick"] if quick else [])], check=False).returncode == 0
        figures = json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else []
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return {"figures": figures, "ended": ended, "seconds": round(time.monotonic() - began, 1)}


def _inside(name: str, options: Options) -> int:
    measure: Callable[[Options], Iterable[Figure]] = importlib.import_module(f"scripts.benchmarks.{name}").measure
    figures = []
    for figure in measure(options):
        figures.append(figure)
        print(figure.as_line(), flush=True)
    (options.folder / "figures.json").write_text(json.dumps([f.as_json() for f in figures]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
