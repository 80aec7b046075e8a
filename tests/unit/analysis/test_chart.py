"""Charts: every extreme stays, gaps are gaps, texts are safe."""

import math
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from custom_components.strata.analysis.chart import Chart, svg, thin

SVG = "{http://www.w3.org/2000/svg}"


def test_thinning_keeps_every_extreme_and_the_order() -> None:
    times = np.arange(10_000)
    values = np.sin(times / 300)
    values[1234], values[8765] = 50.0, -50.0
    few, kept = thin(times, values)
    assert len(few) <= 400
    assert (np.diff(few) > 0).all()
    assert {50.0, -50.0} <= set(kept.tolist())


def test_a_few_points_stay_as_they_are() -> None:
    times, values = np.arange(5), np.arange(5.0)
    assert thin(times, values) == (times, values)


def test_a_stretch_without_values_stays_a_gap() -> None:
    values = np.ones(4000)
    values[1000:3000] = math.nan
    _, kept = thin(np.arange(4000), values)
    assert np.isnan(kept).any()


def drawn(**given: object) -> ET.Element:
    chart = {"times": np.arange(0, 40, 10), "values": np.array([1.0, 3.0, math.nan, 2.0]), **given}
    return ET.fromstring(svg(Chart(**chart), 'A <b> & "c"'))  # type: ignore[arg-type]  # noqa: S314 - our own text


def test_a_gap_lifts_the_pen_and_titles_are_escaped() -> None:
    root = drawn(unit="<W>", unusual=((10, 30),), expected=(1.0, 2.0), marks=((10, "Mon & Tue"),))
    path = root.find(f"{SVG}path")
    assert path is not None
    assert path.attrib["d"].count("M") == 2
    assert root.findtext(f"{SVG}title") == 'A <b> & "c"'
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "<W>" in texts
    assert "Mon & Tue" in texts
    assert len(list(root.iter(f"{SVG}rect"))) == 2


def test_higher_values_are_drawn_higher() -> None:
    path = drawn().find(f"{SVG}path")
    assert path is not None
    ys = [float(step.split(" ")[1]) for step in path.attrib["d"].replace("M", "L").split("L") if step]
    assert ys[1] < ys[2] < ys[0]


@pytest.mark.parametrize("values", [[math.nan] * 4, []])
def test_nothing_known_draws_nothing(values: list[float]) -> None:
    assert svg(Chart(times=np.arange(len(values)), values=np.array(values)), "t") == ""


def test_a_constant_can_be_drawn() -> None:
    assert drawn(values=np.zeros(4)).find(f"{SVG}path") is not None
