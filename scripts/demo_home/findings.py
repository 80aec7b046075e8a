"""What was checked and what came of it."""

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to hold, and what was seen."""

    name: str
    held: bool
    seen: str


@dataclass(slots=True)
class Findings:
    """All checks of a run, and what else went wrong."""

    checks: list[Check] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def check(self, name: str, held: bool, seen: str) -> bool:  # noqa: FBT001 - what is found reads best after its name
        """Note a check; return whether it held."""
        self.checks.append(Check(name, bool(held), seen))
        return bool(held)

    @property
    def problems(self) -> list[str]:
        """Everything that did not hold."""
        return [*(f"{check.name}: {check.seen}" for check in self.checks if not check.held), *self.complaints]

    def as_json(self) -> list[dict[str, object]]:
        """Return the checks for the report."""
        return [asdict(check) for check in self.checks]
