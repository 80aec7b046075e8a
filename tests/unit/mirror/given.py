"""A server in memory that can be told to fail, and a clock that sleeps at once."""

from collections import deque
from collections.abc import Callable
import gzip

from custom_components.strata.core.model import Point
from custom_components.strata.mirror.answer import Accepted
from custom_components.strata.mirror.errors import MirrorRejected, MirrorTooLarge
from custom_components.strata.mirror.figures import MirrorNotice
from custom_components.strata.mirror.line_protocol import decode


class MemoryServer:
    """Takes lines as a server would; `faults` are raised (or returned) by the next writes."""

    def __init__(self) -> None:
        self.points: dict[str, dict[tuple[str, frozenset, int], Point]] = {}
        self.faults: deque[Exception | Accepted] = deque()
        self.always: Exception | None = None
        self.largest = 10**9
        self.poison: Callable[[str], bool] = lambda line: False
        self.keeps_good_lines = True
        self.names_bad_lines = False
        self.batches: list[int] = []

    async def write(self, database: str, body: bytes) -> Accepted:
        lines = gzip.decompress(body).decode().split("\n")
        self.batches.append(len(lines))
        if self.always is not None:
            raise self.always
        if self.faults:
            fault = self.faults.popleft()
            if isinstance(fault, Exception):
                raise fault
            return fault
        if len(lines) > self.largest:
            raise MirrorTooLarge("too much")
        bad = [line for line in lines if self.poison(line)]
        if not bad or self.keeps_good_lines:
            stored = self.points.setdefault(database, {})
            for line in lines:
                if line not in bad:
                    point = decode(line)
                    stored[point.measurement, frozenset(point.tags.items()), point.time] = point
        if bad:
            raise MirrorRejected("poison", dict.fromkeys(bad, "named") if self.names_bad_lines else None)
        return Accepted()

    def values(self, database: str = "strata_raw", tag: str = "entity_id", field: str = "value"):
        """Return the values of a field by time and tag."""
        found: dict[str, dict[int, object]] = {}
        for point in self.points.get(database, {}).values():
            if field in point.fields:
                found.setdefault(point.tags.get(tag, ""), {})[point.time] = point.fields[field]
        return found


class Sleeps:
    """Remembers how long was slept and sleeps no time at all; `after` is called each time."""

    def __init__(self, after: Callable[[int], None] = lambda count: None) -> None:
        self.seconds: list[float] = []
        self._after = after

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._after(len(self.seconds))


class Notices(list[MirrorNotice]):
    """Takes notices."""

    def __call__(self, notice: MirrorNotice) -> None:
        self.append(notice)

    @property
    def kinds(self) -> list[str]:
        return [notice.kind.value for notice in self]
