"""NESO: national and regional answers in their documented shapes, shares and means computed by hand."""

from datetime import UTC, datetime, timedelta
import random
import re

import pytest

from custom_components.strata.sources import role
from custom_components.strata.sources.base import Reading, Snapshot, SourceNoData
from custom_components.strata.sources.carbon_intensity.neso import Neso
from tests.source_world import LONDON, NOW, Answer, by_path, recorded, world

ROLE = role("carbon_intensity")
NATIONAL = recorded("carbon_intensity/neso/national_48h.json")
GENERATION = recorded("carbon_intensity/neso/generation.json")
REGIONAL = recorded("carbon_intensity/neso/regional_48h.json")
LISTED = recorded("carbon_intensity/neso/regional_list.json")


async def read(answers: dict[str, Answer], now: datetime = NOW, **options: object) -> tuple[Reading, list[str]]:
    context, session = world(by_path(answers), home=LONDON, now=now)
    reading = await Neso(options).fetch(context)
    return reading, [url.removeprefix("https://source.test") for url, _, _ in session.asked]


def at(reading: Reading, now: datetime) -> dict[str, object]:
    return dict(ROLE.fields_at(Snapshot(reading=reading, now=now, provider="neso", home=LONDON)))


async def test_great_britain() -> None:
    reading, asked = await read({"/intensity": Answer.of(NATIONAL), "/generation": Answer.of(GENERATION)})
    assert asked == ["/intensity/2026-11-20T18:00Z/fw48h", "/generation"]
    assert reading.tags == {"region": "GB", "grid_operator": "NESO"}
    assert reading.observed_at == datetime(2026, 11, 20, 18, tzinfo=UTC)
    assert not reading.estimated
    assert reading.attribution is not None
    fields = at(reading, NOW)
    assert fields["carbon_intensity_gco2_kwh"] == 210
    # biomass 4.8 + hydro 1.5 + solar 0 + wind 32.5, and gas 38.2, of 100.
    assert fields["renewable_percentage"] == pytest.approx(38.8)
    assert fields["fossil_percentage"] == pytest.approx(38.2)
    # The half hour that contains 19:05.
    assert fields["forecast_1h"] == 150
    # 25 minutes at 210, 30 at 180, 30 at 150 and 1355 at 100.
    assert fields["forecast_24h"] == pytest.approx((25 * 210 + 30 * 180 + 30 * 150 + 1355 * 100) / 1440)


async def test_what_is_foreseen_moves_on_without_a_fetch() -> None:
    reading, _ = await read({"/intensity": Answer.of(NATIONAL), "/generation": Answer.of(GENERATION)})
    fields = at(reading, NOW + timedelta(minutes=30))
    assert fields["forecast_1h"] == 100
    assert fields["forecast_24h"] == pytest.approx((25 * 180 + 30 * 150 + 1385 * 100) / 1440)
    # 48 h and a half after 17:30 nothing is foreseen; nothing is made up then.
    late = at(reading, NOW + timedelta(days=3))
    assert late["forecast_1h"] is None
    assert late["forecast_24h"] is None


async def test_a_settled_value_comes_before_the_forecast() -> None:
    reading, _ = await read({"/intensity": Answer.of(NATIONAL)}, now=NOW - timedelta(minutes=30))
    assert reading.fields["carbon_intensity_gco2_kwh"] == 263


async def test_intensity_does_not_depend_on_the_mix() -> None:
    for generation in (Answer(status=500), Answer.of({"data": []}), Answer.of({"data": {"generationmix": []}})):
        reading, _ = await read({"/intensity": Answer.of(NATIONAL), "/generation": generation})
        assert reading.fields == {
            "carbon_intensity_gco2_kwh": 210,
            "renewable_percentage": None,
            "fossil_percentage": None,
        }


@pytest.mark.parametrize("postcode", ["SW1A", " sw1a ", "SW1A 1AA", "sw1a1aa"])
async def test_a_region_is_asked_for_by_the_first_half_of_a_postcode(postcode: str) -> None:
    reading, asked = await read({"/regional": Answer.of(REGIONAL)}, postcode=postcode)
    assert asked == ["/regional/intensity/2026-11-20T18:00Z/fw48h/postcode/SW1A"]
    assert reading.tags == {"region": "London", "grid_operator": "NESO"}
    # The mix of the running half hour, not of the others, which are all gas.
    assert dict(reading.fields) == {
        "carbon_intensity_gco2_kwh": 114,
        "renewable_percentage": 30,
        "fossil_percentage": 50,
    }
    assert Neso({"postcode": postcode}).title() == "SW1A"


async def test_a_region_in_a_list_is_read_too() -> None:
    reading, _ = await read({"/regional": Answer.of(LISTED)}, postcode="SW1A")
    assert reading.fields["carbon_intensity_gco2_kwh"] == 114
    with pytest.raises(SourceNoData, match="no such region"):
        await read({"/regional": Answer.of({"data": []})}, postcode="ZZ9")


async def test_a_region_without_a_name_is_called_by_its_postcode() -> None:
    nameless = {"data": {**REGIONAL["data"], "shortname": None}}
    reading, _ = await read({"/regional": Answer.of(nameless)}, postcode="SW1A")
    assert reading.tags["region"] == "SW1A"


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("SW1A", True),
        ("m1", True),
        ("EC1", True),
        ("B33", True),
        ("SW1A 1AA", False),
        ("SW1A1AA", False),
        ("1AA", False),
    ],
)
def test_a_full_postcode_is_refused(text: str, accepted: bool) -> None:
    (postcode,) = Neso.params
    assert postcode.pattern is not None
    assert bool(re.fullmatch(postcode.pattern, text)) is accepted


@pytest.mark.parametrize(
    ("now", "border"),
    [((2026, 11, 20, 18, 5), (2026, 11, 20, 18, 30)), ((2026, 11, 20, 23, 30), (2026, 11, 21, 0, 0))],
)
def test_it_is_asked_soon_after_each_half_hour(
    now: tuple[int, ...], border: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Neso, "jitter", random.Random(1))
    begin = datetime(*border, tzinfo=UTC)
    dues = [Neso({}).next_fetch(datetime(*now, tzinfo=UTC), None) for _ in range(200)]
    waits = [due - begin for due in dues if due is not None]
    assert len(waits) == 200
    assert timedelta(seconds=20) <= min(waits) < timedelta(seconds=30)
    assert timedelta(seconds=130) < max(waits) <= timedelta(seconds=140)
