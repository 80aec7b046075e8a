"""Entry point of scripts/demo."""

import argparse
import asyncio
import os
from pathlib import Path
import socket
import sys
import tempfile

from .history import HistoryError, history
from .home import Home
from .serve import ready_to_serve, serve
from .simulated_home import SHORTEST, simulated_home

SETUP_PORT = "SETUP_PORT"
INTEGRATION = Path(__file__).parents[2] / "custom_components" / "strata"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="The whole of Strata in one command: a real Home Assistant, sources added as a user adds them, days"
        " of a home replayed in seconds, the ladder, and every figure checked. Needs no keys and no internet.",
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what was seen as JSON")
    parser.add_argument(
        "--serve", action="store_true", help="leave Home Assistant's frontend up on loopback afterwards"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the simulated home (1)")
    parser.add_argument("--days", type=int, default=9, help=f"the simulated home lives for, at least {SHORTEST} (9)")
    real = parser.add_argument_group("real history instead of a simulated home")
    real.add_argument("--history", type=Path, nargs="+", metavar="CSV", help="exports of the History panel")
    real.add_argument("--unit", metavar="W", help="unit of the numbers in them, such as W or kWh")
    real.add_argument("--timezone", metavar="Z", help="the home's time zone, such as America/Chicago")
    arguments = parser.parse_args()
    if bool(arguments.history) != bool(arguments.unit and arguments.timezone):
        parser.error("--history, --unit and --timezone belong together")
    return arguments


def _home(arguments: argparse.Namespace) -> Home:
    if arguments.history:
        return history(arguments.history, arguments.unit, arguments.timezone)
    return simulated_home(seed=arguments.seed, days=arguments.days)


def _install(folder: Path) -> None:
    """Put the integration where Home Assistant looks for it, and before where Python would find it else."""
    link = folder / "custom_components" / "strata"
    link.parent.mkdir()
    (link.parent / "__init__.py").touch()
    link.symlink_to(INTEGRATION, target_is_directory=True)
    sys.path.insert(0, str(folder))


def _free_port() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return str(unused.getsockname()[1])


def main() -> int:
    """Run the demo; return 0 when everything held, 1 when something did not, 2 when it could not begin."""
    arguments = _arguments()
    try:
        home = _home(arguments)
    except (HistoryError, ValueError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    if arguments.serve and not ready_to_serve():
        return 2
    with tempfile.TemporaryDirectory(prefix="strata-demo-") as name:
        folder = Path(name)
        _install(folder)
        # Where Home Assistant's HTTP server listens unless told otherwise; another one may run on the usual port.
        os.environ[SETUP_PORT] = _free_port()
        # Only now, so that the integration is imported from the configuration folder.
        from .clock import SimulatedLoop, simulated_clock
        from .demo import Demo, progress
        from .lived import live_a_year
        from .log_watch import watch_log

        log = watch_log()
        with simulated_clock(home.begin) as clock, asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            demo = Demo(home, folder, clock, log, progress())
            report = runner.run(demo.run(is_history=bool(arguments.history)))
        if not arguments.history:
            live_a_year(folder / "lived", report)
        print(report.as_text(), flush=True)
        if arguments.report:
            report.write(arguments.report)
        del os.environ[SETUP_PORT]
        if report.findings.problems:
            return 1
        return serve(folder, home, is_history=bool(arguments.history)) if arguments.serve else 0


if __name__ == "__main__":
    sys.exit(main())
