"""Stored rows as points: what a server gets to see of each series.

Rows keep their measurement: `home_assistant_events` with fields `value` (numbers; on/off as 1 and 0), `state` (text)
and `attr_friendly_name`, and each role's measurement with the role's fields. Labels become tags as they are now, so a
renamed entity goes on under its new name.

Roll-ups keep the measurement too; their tags `tier` and `field` say of what they are the sum, because hours and days
begin at the same instants and a role's fields share their tags. Their time is the start of the bucket.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
import re

import numpy as np
from numpy.typing import NDArray

from ..core.model import EXCLUDED_FLAGS, MICROS_PER_SECOND, FieldValue, Flag, Kind, Series
from ..core.rollup import Rollup
from ..core.state_time import OTHERS_NAME
from ..store import answers
from ..store.answers import Texts
from ..store.backlog import ForecastRows
from ..store.base import RawRows
from ..store.tiers import HOUR
from .line_protocol import Column, PointBlock

ENTITY_TAGS = ("entity_id", "domain", "device_class", "area_id", "device_id")
_EVENT_TYPE = {"event_type": "state_changed"}
"""The kind of Home Assistant event behind every row of an entity."""
_FRIENDLY_NAME = "friendly_name"
_STATE, _VALUE = "state", "value"
_IN_STATE = "in_state"
"""Not `state`: where one database holds every tier that is a field, and InfluxDB 3 takes no tag of a field's name."""
_MOST_STATES = 50
"""States of one series that get a series of their own on the server, in one portion; the others are summed up."""
_LONGEST_STATE = 64
_TIMES = frozenset({"date", "timestamp", "uptime"})
"""Device classes whose states hardly ever come twice."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_AMBIGUOUS = re.compile(r"\\(?=[ ,=\\]|\Z)")
"""A backslash that InfluxDB 1 and 2 keep, and that InfluxDB 3 and VictoriaMetrics take for an escape."""
_MIRRORED = np.ones(len(Flag), bool)
"""By flag: whether a row with it is a point."""
_MIRRORED[[*EXCLUDED_FLAGS, Flag.GAP, Flag.RESUME, Flag.HEARTBEAT, Flag.DETAIL]] = False


@dataclass(frozen=True, slots=True)
class Renderer:
    """Turns what the store holds into blocks of points.

    `texts` gives stored texts by code; `offset_fields` names, by (measurement, field) of a forecast, the field that
    says how many hours ahead a slot begins; without `strings` fields that are text are left out. `labels` names, by
    measurement, the tag that the text of a number's row is.
    """

    texts: Texts
    offset_fields: Mapping[tuple[str, str], str] = field(default_factory=dict)
    strings: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)

    def blocks(self, series: Series, rows: RawRows) -> Iterator[PointBlock]:
        """Yield one series' good rows; where a tag says what its numbers' texts say, a block for each text."""
        tag = self.labels.get(series.key.measurement)
        if tag is None or series.kind is Kind.TEXT:
            block = self.rows(series, rows)
            yield from () if block is None else (block,)
            return
        codes: list[int] = np.unique(rows.texts).tolist()
        words = self.texts(set(codes) - answers.NO_TEXTS)
        for code in codes:
            if (block := self.rows(series, _with_text(rows, code))) is not None:
                label = _clean(words.get(code, ""))
                yield replace(block, tags={**block.tags, tag: label}) if label else block

    def rows(self, series: Series, rows: RawRows) -> PointBlock | None:
        """Return one series' good rows, None where there are none. Gaps and implausible values are no points."""
        good = _MIRRORED[rows.flags]
        number, text = np.isfinite(rows.values), rows.texts > 0
        good &= number | text
        if not good.any():
            return None
        values, codes = rows.values[good], rows.texts[good]
        fields = (self._reading if series.key.tags else self._event)(series, values, codes)
        if not fields:
            return None
        return PointBlock(series.key.measurement, tags_of(series), rows.times[good], fields, self._constants(series))

    def _event(self, series: Series, values: NDArray[np.float64], codes: NDArray[np.int64]) -> dict[str, Column]:
        fields: dict[str, Column] = {}
        if np.isfinite(values).any():
            fields[_VALUE if series.kind is Kind.TEXT else series.key.field] = values
        if self.strings and (codes > 0).any():
            fields[_STATE] = self._words(codes)
        return fields

    def _reading(self, series: Series, values: NDArray[np.float64], codes: NDArray[np.int64]) -> dict[str, Column]:
        if series.kind is not Kind.TEXT:
            return {series.key.field: values}
        return {series.key.field: self._words(codes)} if self.strings else {}

    def _constants(self, series: Series) -> dict[str, FieldValue]:
        name = series.labels.get(_FRIENDLY_NAME) if self.strings else None
        return {f"attr_{_FRIENDLY_NAME}": name} if name else {}

    def _words(self, codes: NDArray[np.int64]) -> list[str | None]:
        numbers: list[int] = codes.tolist()
        words = self.texts(set(numbers) - answers.NO_TEXTS)
        return [words.get(code) for code in numbers]

    def buckets(self, series: Series, tier: str, rollup: Rollup) -> Iterator[PointBlock]:
        """Yield the points of one series' roll-up rows: one per bucket, and for texts one per state met."""
        if not len(rollup):
            return
        tags = tags_of(series) | {"tier": tier, "field": _clean(series.key.field)}
        fields: dict[str, Column] = dict(answers.fields(rollup, tier, series.unit))
        if rollup.kind is Kind.TEXT and self.strings:
            fields |= {
                f"{end}_state": self._words(answers.state_codes(rollup.columns[end])) for end in ("first", "last")
            }
        yield PointBlock(series.key.measurement, tags, rollup.starts, fields, self._constants(series))
        if rollup.kind is Kind.TEXT and series.labels.get("device_class") not in _TIMES:
            yield from self._states(series, tags, rollup)

    def _states(self, series: Series, tags: Mapping[str, str], rollup: Rollup) -> Iterator[PointBlock]:
        """Yield the seconds spent in each state, longest first, as series of their own with a tag `in_state`."""
        codes, place = np.unique(rollup.states.code, return_inverse=True)
        if not len(codes):
            return
        words = self.texts(set(codes.tolist()) - answers.NO_TEXTS)
        total = np.bincount(place, weights=rollup.states.micros)
        named: dict[str, NDArray[np.float64]] = {}
        for rank, code in enumerate(np.argsort(-total, kind="stable").tolist()):
            word = _clean(words.get(int(codes[code]), ""))
            if not word or rank >= _MOST_STATES or len(word) > _LONGEST_STATE:
                word = OTHERS_NAME
            here = place == code
            micros = np.bincount(rollup.states.bucket[here], rollup.states.micros[here], len(rollup))
            named[word] = named.get(word, np.zeros(len(rollup))) + micros / MICROS_PER_SECOND
        for word, seconds in named.items():
            met = seconds > 0
            yield PointBlock(
                series.key.measurement, {**tags, _IN_STATE: word}, rollup.starts[met], {"state_seconds": seconds[met]}
            )

    def forecast(self, found: ForecastRows) -> PointBlock:
        """Return a forecast's slots at the instants they begin; a newer forecast's take their place."""
        key = found.key
        fields: dict[str, Column] = {key.field: found.values}
        if (name := self.offset_fields.get((key.measurement, key.field))) is not None:
            fields[name] = (found.starts - found.issued) / HOUR
        return PointBlock(key.measurement, cleaned(key.tags), found.starts, fields)


def tags_of(series: Series) -> dict[str, str]:
    """Return the tags a series has on a server now: an entity's labels, or a reading's key tags and labels."""
    labels = series.labels
    if (key_tags := series.key.tags) or not series.key.identity.startswith("entity:"):
        return cleaned({**labels, **key_tags})
    named = {name: labels[name] for name in ENTITY_TAGS if labels.get(name)}
    # Without labels yet: the entity id, or the registry id, is what the series is known by.
    named.setdefault("entity_id", series.key.identity.partition(":")[2])
    return cleaned(named) | _EVENT_TYPE


def identity_tags(series: Series) -> dict[str, str]:
    """Return the tags by which all points of a series are found: an entity's id, or a reading's key tags."""
    if key_tags := series.key.tags:
        return cleaned(key_tags)
    tags = tags_of(series)
    return {"entity_id": tags["entity_id"]} if "entity_id" in tags else tags


def cleaned(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags as every server reads them; those without a text are left out."""
    return {_clean(name): cleaned for name, value in tags.items() if (cleaned := _clean(value))}


def _with_text(rows: RawRows, code: int) -> RawRows:
    chosen = rows.texts == code
    return RawRows(rows.times[chosen], rows.values[chosen], rows.texts[chosen], rows.flags[chosen])


def _clean(text: str) -> str:
    """Return a tag's text as every server reads it: no control characters, no backslash that could be an escape."""
    if text.isalnum():
        return text
    return _AMBIGUOUS.sub("/", _CONTROL.sub(" ", text)).strip()
