"""Answers with something wrong in them: emptied, with holes, or with one thing replaced. JSON and XML alike."""

from collections.abc import Iterator
import copy
import re
from typing import Any
import xml.etree.ElementTree as ET

from tests.source_world import Text

ODD_VALUES = (None, "x", "", -1, 1e300, float("nan"), float("inf"), True, [], [None], {}, {"a": 1})
ODD_TEXTS = ("", "x", "-1", "1e300", "nan", "inf", "2026-13-45T99:00Z")
_FRACTION = re.compile(r"-?\d+\.\d+(e-?\d+)?")
VALUE_KEYS = frozenset({"forecast", "actual", "aqi", "nowcastAQI", "v"})
"""Keys of values that are written as whole numbers."""


def emptied(value: Any) -> Any:
    """The same answer with nothing in its lists."""
    if isinstance(value, Text):
        return _xml(value, lambda root: [_drop_repeated(element) for element in root.iter()])
    if isinstance(value, dict):
        return {key: emptied(item) for key, item in value.items()}
    return [] if isinstance(value, list) else value


def without_numbers(value: Any) -> Any:
    """The same answer with a null for each fractional number: times are whole, values are not."""
    if isinstance(value, Text):
        return _xml(value, lambda root: [_blank(element) for element in root.iter()])
    if isinstance(value, dict):
        return {key: None if key in VALUE_KEYS else without_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_numbers(item) for item in value]
    return None if _is_fraction(value) else value


def with_holes(value: Any) -> Any:
    """The same answer with a null for the values of every third item of its lists."""
    if isinstance(value, Text):
        return value
    if isinstance(value, dict):
        return {key: with_holes(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_numbers(item) if index % 3 == 1 else with_holes(item) for index, item in enumerate(value)]
    return value


def spoiled(value: Any) -> Iterator[Any]:
    """Yield copies of an answer, each with one thing in it replaced; of long lists both ends and the middle."""
    if isinstance(value, Text):
        yield from _spoiled_xml(value)
        return
    places: list[tuple[Any, Any]] = []

    def walk(inner: Any) -> None:
        if isinstance(inner, dict):
            keys: list[Any] = list(inner)
        elif isinstance(inner, list):
            keys = sorted({0, len(inner) // 2, len(inner) - 1} & set(range(len(inner))))
        else:
            return
        for key in keys:
            places.append((inner, key))
            walk(inner[key])

    whole = copy.deepcopy(value)
    walk(whole)
    for inner, key in places:
        kept = inner[key]
        for other in ODD_VALUES:
            inner[key] = other
            yield whole
        inner[key] = kept


def replaced(value: Any, path: tuple[str, ...], other: object) -> Any:
    """Return the answer with `other` at a path: keys, places in lists, `*` for all; in XML the tag, wherever it is."""
    if isinstance(value, Text):
        tag = path[-1]
        return Text(re.sub(rf"(<{re.escape(tag)}[^>]*>)[^<]*(</)", rf"\g<1>{other}\g<2>", value))
    value = copy.deepcopy(value)
    _replace(value, path, other)
    return value


def _replace(value: Any, path: tuple[str, ...], other: object) -> None:
    step, *rest = path
    keys: list[Any] = list(range(len(value))) if step == "*" else [int(step) if isinstance(value, list) else step]
    for key in keys:
        if rest:
            _replace(value[key], tuple(rest), other)
        else:
            value[key] = other


def _is_fraction(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, str) and _FRACTION.fullmatch(value) is not None)


def _xml(text: str, change: Any) -> Text:
    root = ET.fromstring(text)  # noqa: S314 - a fixture of ours
    change(root)
    return Text(ET.tostring(root, encoding="unicode"))


def _drop_repeated(element: ET.Element) -> None:
    tags = [child.tag for child in element]
    for child in list(element):
        if tags.count(child.tag) > 1:
            element.remove(child)


def _blank(element: ET.Element) -> None:
    if _is_fraction((element.text or "").strip()):
        element.text = ""


def _spoiled_xml(text: str) -> Iterator[Text]:
    """Yield copies with one leaf's text replaced, or one element gone; of equal siblings the first and the last."""
    count = sum(1 for _ in ET.fromstring(text).iter())  # noqa: S314 - a fixture of ours
    for index in range(count):
        root = ET.fromstring(text)  # noqa: S314 - a fixture of ours
        element = list(root.iter())[index]
        parent = next((one for one in root.iter() if element in list(one)), None)
        siblings = [one for one in parent if one.tag == element.tag] if parent is not None else [element]
        if element not in (siblings[0], siblings[-1]):
            continue
        if len(element) == 0:
            for other in ODD_TEXTS:
                element.text = other
                yield Text(ET.tostring(root, encoding="unicode"))
        if parent is not None:
            parent.remove(element)
            yield Text(ET.tostring(root, encoding="unicode"))
