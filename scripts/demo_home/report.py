"""What the demo has seen: as JSON for tools, as text for people."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
import json
from pathlib import Path
import platform
import shutil
import textwrap

from homeassistant.const import __version__ as ha_version

from custom_components.strata.store.base import Sizes

from .findings import Findings
from .home import Home
from .ladder import LadderRun
from .lived_home import LivedSeen, as_report
from .mirroring import MirrorSeen
from .outside import SourceSeen

WIDTH = 100
_MODES = {
    "live": "asked of the real service",
    "recorded": "its service is played on loopback, in the shape it documents, for today",
    "entity": "taken from an entity of the home",
}
_TIERS = ("raw", "five_minute", "hourly", "daily")


@dataclass(slots=True, kw_only=True)
class Report:
    """Everything the demo reports."""

    home: Home
    findings: Findings
    sources: list[SourceSeen] = field(default_factory=list)
    fired: int = 0
    stored: int = 0
    told: int = 0
    requests: int = 0
    ladder: LadderRun | None = None
    mirror: MirrorSeen | None = None
    history: Mapping[str, object] | None = None
    lived: LivedSeen | None = None
    windows: Mapping[str, object] = field(default_factory=dict)
    seconds: float = 0.0

    def as_json(self) -> dict[str, object]:
        """Return the report; keys are added to it, never renamed."""
        report: dict[str, object] = {
            "versions": {
                "home_assistant": ha_version,
                "python": platform.python_version(),
                "strata": strata_version(),
            },
            "sources": [source.as_json() for source in self.sources],
            "events": {"fired": self.fired, "stored": self.stored},
            "tiers": _tiers_of(self.ladder.after) if self.ladder else {},
            "tiers_before_downsample": _tiers_of(self.ladder.before) if self.ladder else {},
            "downsample": self.ladder.as_json() if self.ladder else None,
            "mirror": self.mirror.as_json() if self.mirror else None,
            "windows": self.windows,
            **as_report(self.lived),
            "problems": self.findings.problems,
            "checks": self.findings.as_json(),
            "seconds": round(self.seconds, 1),
        }
        if self.history is not None:
            report["history"] = self.history
        return report

    def write(self, path: Path) -> None:
        """Write the report as a JSON file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def as_text(self) -> str:
        """Return the summary, at most 100 columns wide."""
        width = min(WIDTH, max(60, shutil.get_terminal_size((WIDTH, 24)).columns))
        lines = [*self._head(), *self._sources(), *self._tiers(), *self._mirrored(), *self._history(), *self._checks()]
        return "\n".join(line if len(line) <= width else f"{line[: width - 1]}…" for line in lines)

    def _head(self) -> Iterator[str]:
        yield ""
        yield f"Strata {strata_version()} in Home Assistant {ha_version} on Python {platform.python_version()}"
        yield f"  {self.home.title}"
        for note in self.home.notes:
            yield f"  {note}"
        yield f"  {len(self.home.entities)} entities, {self.told:,} states said, of which {self.fired:,} were news;"
        yield f"  {self.stored:,} rows stored, {self.requests:,} requests to outside services"

    def _sources(self) -> Iterator[str]:
        if not self.sources:
            return
        yield ""
        yield f"{'Source':<28}{'Role':<22}{'Mode':<10}{'Slots':>5}  Says"
        for source in self.sources:
            choice = source.added.choice
            values = [f"{v['value']:.4g} {v['unit'] or ''}".strip() for v in source.values.values()
                      if isinstance(v["value"], float)]  # fmt: skip
            title = source.added.title[:27]
            says = values[0] if values else "-"
            yield f"{title:<28}{choice.role:<22}{choice.mode:<10}{source.forecast_slots:>5}  {says}"
        modes = {source.added.choice.mode for source in self.sources}
        yield from (f"  {mode}: {meaning}" for mode, meaning in _MODES.items() if mode in modes)

    def _tiers(self) -> Iterator[str]:
        if self.ladder is None:
            return
        yield ""
        yield f"{'Tier':<14}{'Rows':>12}{'Bytes':>14}{'B/row':>8}   After the ladder"
        for tier in _TIERS:
            before, after = self.ladder.before.tiers[tier], self.ladder.after.tiers[tier]
            each = before.bytes / before.rows if before.rows else 0
            yield f"{tier:<14}{before.rows:>12,}{before.bytes:>14,}{each:>8.1f}   {after.rows:,} rows"
        done = self.ladder.as_json()
        yield (
            f"  {done['raw_rows']:,} raw rows gave way to {done['hourly_rows']:,} hours, which"
            f" {done['daily_rows']:,} days stand for, in {done['seconds']:.2f} s"
        )

    def _mirrored(self) -> Iterator[str]:
        if self.mirror is not None:
            seen = self.mirror
            yield ""
            yield f"Mirror on {seen.server}: {seen.acknowledged:,} of {seen.sent:,} sent points acknowledged"

    def _history(self) -> Iterator[str]:
        if self.history is None:
            return
        yield ""
        entities = self.history["entities"]
        assert isinstance(entities, dict)  # noqa: S101 - made by history_report
        for name, told in entities.items():
            yield f"{name}: largest relative error {told['max_relative_error']:.1e}"
            for day in told["days"]:
                energy = "" if day["kwh"] is None else f"{day['kwh']:>10.3f} kWh"
                yield f"  {day['date']}{energy}   {day['hours']} hours, {day['covered_seconds'] / 3600:.3f} h known"

    def _checks(self) -> Iterator[str]:
        yield ""
        for check in self.findings.checks:
            lines = textwrap.wrap(f"{check.name}: {check.seen}", WIDTH - 10)
            mark = "ok" if check.held else "FAILED"
            yield f"  {mark:<8}{lines[0]}"
            yield from (f"          {line}" for line in lines[1:4])
        for complaint in self.findings.complaints:
            yield from textwrap.wrap(f"LOGGED {complaint}", WIDTH, initial_indent="  ", subsequent_indent="        ")
        yield ""
        count = len(self.findings.problems)
        verdict = "Everything held" if not count else f"{count} problem{'s' if count > 1 else ''}"
        yield f"{verdict}, after {self.seconds:.1f} s"


def _tiers_of(sizes: Sizes) -> dict[str, dict[str, int]]:
    return {tier: {"rows": size.rows, "bytes": size.bytes} for tier, size in sizes.tiers.items()}


def strata_version() -> str:
    """Return the version in the integration's manifest."""
    manifest = Path(__file__).parents[2] / "custom_components" / "strata" / "manifest.json"
    version: str = json.loads(manifest.read_text(encoding="utf-8"))["version"]
    return version
