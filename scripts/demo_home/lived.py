"""Runs the demo's second home, in a time of its own."""

import asyncio
from pathlib import Path
import time

from .clock import SimulatedLoop, simulated_clock
from .demo import progress, where
from .lived_home import live_on
from .lived_year import lived_year
from .report import Report


def live_a_year(folder: Path, report: Report) -> None:
    """Let the home live, and add what it showed, or what went wrong, to the report."""
    say, began = progress(), time.monotonic()
    folder.mkdir()
    say("a second home: writing the year it has lived, with seven faults in its last weeks")
    year = lived_year()
    try:
        with simulated_clock(year.end), asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            report.lived = runner.run(live_on(folder, year, report.findings))
    except Exception as error:  # noqa: BLE001 - whatever it is, the report has to say it
        report.findings.complaints.append(where(error))
    report.seconds += time.monotonic() - began
