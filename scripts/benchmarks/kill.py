"""`kill -9` at seeded instants: see `kill_run`."""

from collections.abc import Iterator

from scripts.benchmarks.figures import Figure, Options
from scripts.benchmarks.kill_run import histogram, many


def measure(options: Options) -> Iterator[Figure]:
    """Kill, look, and finish the job: 200 times (30 with `quick`)."""
    wanted, lives = (30, 3) if options.quick else (200, 6)
    kills = []
    for number, kill in enumerate(many(options.folder, wanted, lives=lives), 1):
        kills.append(kill)
        for problem in kill.problems:
            print(f"  kill {number} (seed {kill.seed}, {kill.phase}): {problem}")
        if number % 20 == 0:
            print(f"  {number} of {wanted} kills", flush=True)
    print(*(f"  {line}" for line in histogram(kills)), sep="\n")
    inside = 100 * sum(kill.in_transaction for kill in kills) / len(kills)
    wrong = sum(bool(kill.problems) for kill in kills)
    acknowledged = sum(kill.acknowledged for kill in kills)
    yield Figure("kills", len(kills), "", wanted, at_least=True)
    yield Figure("inside a transaction", inside, "%", 30, at_least=True)
    yield Figure("kills after which anything was wrong", wrong, "", 0, note=f"{acknowledged} batches acknowledged")
