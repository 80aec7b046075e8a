"""A home's store over some months, and what its archive and its store say of it together."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
import random
import shutil
from typing import Any
from zoneinfo import ZoneInfo

from custom_components.strata.archive.access import DirectAccess
from custom_components.strata.archive.archiver import Archiver
from custom_components.strata.archive.content import Days
from custom_components.strata.archive.report import ArchiveReport, Wishes
from custom_components.strata.archive.restore import Restorer
from custom_components.strata.archive.targets.base import Target
from custom_components.strata.archive.targets.local import LocalTarget
from custom_components.strata.archive.vault import Vault
from custom_components.strata.core.model import Flag, Kind, Micros, Row, SeriesKey, TimeRange, to_micros
from custom_components.strata.core.rollup import Rollup
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import DAILY, DAY, DEFAULT_LADDER, HOUR

EVER = TimeRange(0, 4_000_000_000_000_000)
LADDER = DEFAULT_LADDER.keeping(
    {
        "raw": timedelta(days=2),
        "five_minute": timedelta(days=3),
        "hourly": timedelta(days=10),
        "daily": timedelta(days=40),
    }
)
SERIES = {
    "power": (Kind.MEASUREMENT, "W"),
    "energy": (Kind.METER, "kWh"),
    "light": (Kind.ON_OFF, None),
    "mode": (Kind.TEXT, None),
}
type Told = dict[tuple[str, str, Micros], tuple[Any, ...]]
"""By series, kind and start: what a day says, states in words."""


class World:
    """A store that has lived for some months, with targets for its archive."""

    def __init__(
        self,
        path: Path,
        *,
        timezone: str = "Europe/Berlin",
        start: datetime | None = None,
        like: World | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """Begin with nothing, or where another world has ended; `names` are registry ids by entity id."""
        self.folder = path
        self.timezone = timezone
        self.start = to_micros(start or datetime(2026, 8, 30, tzinfo=ZoneInfo(timezone)))
        self.clock = self.start
        if like is not None:
            self.clock = like.clock
            shutil.copyfile(like.store.path, path / "strata.db")
        self.store = SqliteStore(path / "strata.db", timezone=timezone, ladder=LADDER, now=lambda: self.clock)
        self.store.open()
        self.series = {
            name: self.store.series(
                SeriesKey.of_entity("home_assistant_events", (names or {}).get(f"sensor.{name}", name)),
                kind=kind,
                unit=unit,
                labels={"entity_id": f"sensor.{name}"},
            )
            for name, (kind, unit) in SERIES.items()
        }
        self.store.save_series()
        self.access = DirectAccess(self.store)
        local = path / "usb"
        local.mkdir(exist_ok=True)
        self.targets: dict[str, Target] = {"usb": LocalTarget(local)}
        self.targets["usb"].prepare()
        self.wishes = Wishes()

    def live(self, days: int, *, seed: int = 1, every: int = 5 * HOUR) -> None:
        """Let days pass with a value of each series every few hours; roll up as time goes by."""
        chance = random.Random(seed)
        end = self.clock + days * DAY
        while self.clock < end:
            rows = [self._row(name, chance) for name in self.series]
            self.store.write(rows, heartbeat=self.clock)
            self.clock += every
            if chance.random() < 0.1:
                self.ladder()
        self.clock = end
        self.ladder()

    def _row(self, name: str, chance: random.Random) -> Row:
        series, when = self.series[name], self.clock - chance.randrange(HOUR)
        if chance.random() < 0.03:
            return Row(series, when, flag=Flag.GAP)
        match series.kind:
            case Kind.MEASUREMENT:
                return Row(series, when, round(chance.gauss(300, 90), 1))
            case Kind.METER:
                return Row(series, when, round((self.clock - self.start) / HOUR + chance.random(), 3))
            case Kind.ON_OFF:
                return Row(series, when, float(chance.random() < 0.5))
            case Kind.TEXT:
                return Row(series, when, None, chance.choice(("heat", "cool", "Straße 7", "")))

    def ladder(self) -> None:
        """Roll up and take the steps of a night."""
        self.store.write([], heartbeat=self.clock)
        self.store.roll_up(self.clock)
        for tier in ("raw", "five_minute", "hourly"):
            report = self.store.downsample(tier, self.clock)
            assert report.problems == (), report.problems

    def archiver(self, **options: Any) -> Archiver:
        return Archiver(self.vault(), lambda: self.clock, wishes=self.wishes, **options)

    def vault(self) -> Vault:
        return Vault(self.access, self.targets, self.folder / "scratch", lambda: self.clock)

    def archive(self) -> ArchiveReport:
        return self.archiver().run()

    # What is told

    def local(self) -> Told:
        """Return the days in the store."""
        with self.store.reader() as reader:
            parts = Days(self.store.ladder[DAILY], self.timezone).local(reader, EVER)
        return told((series.key.identity, rolled) for series, rolled in parts.values())

    def archived(self, problems: Iterable[str] = ()) -> Told:
        """Return the days in the archive."""
        restorer = Restorer(self.vault())
        days = told((series.key.identity, rolled) for series, rolled in restorer.days(EVER))
        assert restorer.report.problems == list(problems)
        return days

    def everything(self) -> Told:
        """Return every day, wherever it is; a day that is in both places has to be the same."""
        local, archived = self.local(), self.archived()
        both = local.keys() & archived.keys()
        assert {key: local[key] for key in both} == {key: archived[key] for key in both}
        return local | archived


def told(parts: Iterable[tuple[str, Rollup]]) -> Told:
    """Return days as values that can be compared, those of our own measurement left out."""
    days: Told = {}
    for identity, rolled in parts:
        if not identity.startswith("entity:"):
            continue
        words: Mapping[int, str] = dict(enumerate(rolled.names))
        for at in range(len(rolled)):
            values = []
            for name, column in sorted(rolled.columns.items()):
                value = column[at].item()
                if rolled.kind is Kind.TEXT and name in {"first", "last"}:
                    value = words.get(value)
                values.append((name, None if value != value else value))  # noqa: PLR0124 - NaN
            key = (identity, str(rolled.kind), int(rolled.starts[at]))
            assert key not in days, f"{key} is there twice"
            seconds = (
                {words[int(code)]: value for code, value in rolled.seconds(at).items()}
                if not rolled.names
                else (rolled.seconds(at))
            )
            days[key] = (int(rolled.ends[at]), tuple(values), tuple(sorted(seconds.items())))
    return days
