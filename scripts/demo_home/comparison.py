"""Sets what is stored against what happened."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .home import HomeEntity, Nature
from .truth import Bucket

TOLERANCE = 1e-4
"""The share by which a stored value may differ: 0.01 %."""
SECONDS = 0.001
"""How much covered time may differ; clocks are kept in microseconds, sums in floats."""


@dataclass(slots=True)
class Comparison:
    """How many buckets were compared, how far they were off, and what was wrong with some."""

    compared: int = 0
    uncovered: int = 0
    """Buckets in which nothing was known, and nothing is stored."""
    worst: float = 0.0
    """The largest relative error of a mean, an increase or time in a state."""
    wrong: list[str] = field(default_factory=list)

    def add(self, entity: HomeEntity, true: Iterable[Bucket], stored: Iterable[Bucket]) -> None:
        """Compare an entity's true buckets with those stored."""
        by_start = {bucket.start: bucket for bucket in stored}
        for bucket in true:
            found = by_start.pop(bucket.start, None)
            if found is None or (not found.covered and not found.increases):
                self._absent(entity, bucket)
            elif found.end != bucket.end or abs(found.covered - bucket.covered) > SECONDS:
                seen = f"{found.covered:.3f} s known of {(found.end - found.start) / 1e6:g}"
                self._note(entity, bucket, f"{seen}, not {bucket.covered:.3f} of {(bucket.end - bucket.start) / 1e6:g}")
            else:
                self._values(entity, bucket, found)
        for extra in by_start.values():
            self._note(entity, extra, "is stored but nothing happened there")

    def _absent(self, entity: HomeEntity, bucket: Bucket) -> None:
        if bucket.covered > SECONDS:
            self._note(entity, bucket, f"is not stored, though {bucket.covered:.3f} s of it are known")
        else:
            self.uncovered += 1

    def _values(self, entity: HomeEntity, true: Bucket, found: Bucket) -> None:
        self.compared += 1
        for name, wanted, got, scale in _pairs(entity, true, found):
            error = abs(got - wanted) / scale if wanted != got else 0.0
            self.worst = max(self.worst, error)
            if error > TOLERANCE:
                self._note(entity, true, f"{name} is {got:.9g}, not {wanted:.9g}")

    def _note(self, entity: HomeEntity, bucket: Bucket, what: str) -> None:
        self.wrong.append(f"{entity.entity_id} at {bucket.start // 1_000_000}: {what}")

    @property
    def summary(self) -> str:
        """What came of it, in one line."""
        if self.wrong:
            return f"{len(self.wrong)} of {self.compared} are wrong: {'; '.join(self.wrong[:3])}"
        return f"{self.compared:,} equal, largest relative error {self.worst:.1e}; {self.uncovered:,} uncovered"


def _pairs(entity: HomeEntity, true: Bucket, found: Bucket) -> list[tuple[str, float, float, float]]:
    """Return name, true value, stored value and the size that an error is a share of."""
    if entity.nature is Nature.LEVEL:
        return [("the mean", true.mean, found.mean, max(abs(true.mean), 1e-9))] if true.covered else []
    if entity.nature in {Nature.REGISTER, Nature.BALANCE}:
        # Increases are differences of readings: what a reading's last digits cannot tell is no error.
        return [("the increase", true.increase, found.increase, max(abs(true.increase), 1e-3))]
    if entity.nature is Nature.SWITCH:
        on = true.covered - true.seconds.get(entity.off, 0.0)
        return [("the time on", on, found.seconds["on"], max(on, 1.0))]
    return [
        (f"the time {state}", true.seconds.get(state, 0.0), found.seconds.get(state, 0.0), max(true.covered, 1.0))
        for state in sorted({*true.seconds, *found.seconds})
    ]
