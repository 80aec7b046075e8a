"""Anomalies in simulated homes with planted faults: ours beside the usual methods, on homes never used for tuning."""

from collections.abc import Iterator

from scripts.benchmarks.figures import Figure, Options


def measure(options: Options) -> Iterator[Figure]:
    """Measure the detector on the test homes, then the usual methods on a part of the same series."""
    # The other methods run where Strata and Home Assistant are not installed, and import this package as well.
    from .comparison import compare
    from .promises import promises

    yield from promises(options)
    yield from compare(options)
