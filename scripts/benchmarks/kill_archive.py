"""`kill -9` at seeded instants through the whole ladder with its archive: see `kill_archive_run`."""

from collections.abc import Iterator

from scripts.benchmarks.figures import Figure, Options
from scripts.benchmarks.kill_archive_life import BUCKET_NAME
from scripts.benchmarks.kill_archive_run import histogram, run
from tests import moto_s3


def measure(options: Options) -> Iterator[Figure]:
    """Kill, finish the job, and look: 300 times (30 with `quick`)."""
    lives, each = (3, 10) if options.quick else (30, 10)
    kills = []
    for seed in range(lives):
        # The server forgets with each life, so that it never grows slow.
        with moto_s3.running() as url:
            moto_s3.empty_bucket(url, BUCKET_NAME)
            for kill in run(options.folder, seed, each, url):
                kills.append(kill)
                for problem in kill.problems:
                    print(f"  kill {len(kills)} (seed {seed}, {kill.phase}): {problem}", flush=True)
        print(f"  {len(kills)} of {lives * each} kills", flush=True)
    print(*(f"  {line}" for line in histogram(kills)), sep="\n")
    inside = 100 * sum(kill.inside for kill in kills) / len(kills)
    days = sum(max((kill.days for kill in kills if kill.seed == seed), default=0) for seed in range(lives))
    yield Figure("kills", len(kills), "", lives * each, at_least=True)
    yield Figure("inside a transaction or an upload", inside, "%", 30, at_least=True)
    yield Figure("kills after which anything was wrong", sum(bool(kill.problems) for kill in kills), "", 0)
    yield Figure("days that were written", days, "", 0, at_least=True)
