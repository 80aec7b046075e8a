"""What every source owes, whoever wrote it: each provider of each role against one table of cases."""

import asyncio
from datetime import UTC, datetime, timedelta
import json
import re
from typing import Any

from homeassistant.components.binary_sensor import BinarySensorDeviceClass
from homeassistant.components.sensor import DEVICE_CLASS_STATE_CLASSES, SensorDeviceClass, SensorStateClass
import pytest

from custom_components.strata.core.model import Kind
from custom_components.strata.fetching import by_our_clock
from custom_components.strata.sources import ROLES, role
from custom_components.strata.sources.base import (
    Home,
    ParamKind,
    Provider,
    Reading,
    Role,
    Snapshot,
    SourceBadAnswer,
    SourceError,
    SourceNoData,
    SourceRateLimited,
    SourceUnauthorized,
    SourceUnreachable,
)
from tests.contracts.damage import emptied, replaced, spoiled, with_holes, without_numbers
from tests.contracts.recording import DayAnswer, Recording, Routed, routes
from tests.contracts.source_recordings import RECORDINGS
from tests.source_world import BERLIN, LONDON, NOW, SYDNEY, Answer, FakeAccess, Route, by_path, world

NOWHERE = Home(latitude=0, longitude=0, country=None, currency="XXX", timezone="UTC")
EVERY = [pytest.param(one, provider, id=f"{one.key}.{provider.key}") for one in ROLES for provider in one.providers]
REMOTE = [case for case in EVERY if not case.values[1].local]  # type: ignore[union-attr]
LOCAL = [case for case in EVERY if case.values[1].local]  # type: ignore[union-attr]
every_provider = pytest.mark.parametrize(("of", "kind"), EVERY)
every_remote_provider = pytest.mark.parametrize(("of", "kind"), REMOTE)
every_local_provider = pytest.mark.parametrize(("of", "kind"), LOCAL)
BY_ENTITY = [case for case in LOCAL if "entity" in RECORDINGS[case.values[0].key, case.values[1].key].options]  # type: ignore[union-attr]
every_provider_of_one_entity = pytest.mark.parametrize(("of", "kind"), BY_ENTITY)
OF_VALUES = [case for case in REMOTE if not RECORDINGS[case.values[0].key, case.values[1].key].plans]  # type: ignore[union-attr]
every_remote_provider_of_values = pytest.mark.parametrize(("of", "kind"), OF_VALUES)


def recording(of: Role, kind: type[Provider]) -> Recording:
    return RECORDINGS[of.key, kind.key]


async def fetch(
    of: Role,
    kind: type[Provider],
    *,
    route: Route | None = None,
    access: FakeAccess | None = None,
    now: datetime = NOW,
    limit: float = 1.0,
) -> Reading:
    known = recording(of, kind)
    route = route or by_path(routes(known.payloads()))
    context, _ = world(route, home=known.home, access=access or known.access(), now=now, timeout=limit)
    with pytest.MonkeyPatch.context() as patch:
        if known.library is not None:
            known.library(patch, route, limit)
        return await kind(known.options).fetch(context)


def main_of(of: Role, kind: type[Provider]) -> str:
    """Return the field that sums a provider up."""
    return kind(recording(of, kind).options).main() or of.main


def snapshot(of: Role, kind: type[Provider], reading: Reading, now: datetime = NOW) -> Snapshot:
    return Snapshot(reading=reading, now=now, provider=kind.key, home=recording(of, kind).home)


# The registry


def test_roles_are_found_by_their_key() -> None:
    assert len({one.key for one in ROLES}) == len(ROLES)
    assert all(role(one.key) is one for one in ROLES)
    with pytest.raises(KeyError, match="no role 'nothing'"):
        role("nothing")


@pytest.mark.parametrize("of", ROLES, ids=lambda of: of.key)
def test_role_is_whole(of: Role) -> None:
    assert len({provider.key for provider in of.providers}) == len(of.providers)
    assert all(of.provider(provider.key) is provider for provider in of.providers)
    with pytest.raises(KeyError, match="no provider 'nothing'"):
        of.provider("nothing")
    names = [stored.name for stored in of.fields]
    assert len(set(names)) == len(names)
    assert of.main in names
    assert all(Kind(stored.kind) for stored in of.fields)
    assert all(stored.forecast in names for stored in of.forecasts)
    assert of.interval >= timedelta(minutes=1)
    # A role that wants a key may not come before one that is free of it.
    keyed = [any(param.kind is ParamKind.SECRET for param in provider.params) for provider in of.providers]
    assert keyed == sorted(keyed)


@pytest.mark.parametrize("of", ROLES, ids=lambda of: of.key)
def test_metrics_obey_the_rules_of_home_assistant(of: Role) -> None:
    assert len({metric.key for metric in of.metrics}) == len(of.metrics)
    for metric in of.metrics:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.key)
        if metric.binary:
            assert metric.unit is None
            assert metric.state_class is None
            assert metric.device_class is None or BinarySensorDeviceClass(metric.device_class)
            continue
        if metric.state_class is not None:
            state_class = SensorStateClass(metric.state_class)
            if metric.device_class is not None:
                assert state_class in DEVICE_CLASS_STATE_CLASSES[SensorDeviceClass(metric.device_class)]
        if metric.device_class in {"timestamp", "date", "enum"}:
            assert metric.unit is None
            assert not metric.unit_from_reading
            assert metric.state_class is None
        assert bool(metric.options) == (metric.device_class == "enum")
        assert not (metric.unit and metric.unit_from_reading)


@every_provider
def test_provider_is_whole(of: Role, kind: type[Provider]) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", kind.key)
    assert kind.local == (kind.base_url == "")
    assert kind.local or kind.base_url.startswith("https://")
    assert kind.local or kind.attribution
    assert all(re.fullmatch(r"[A-Z]{2}", country) for country in kind.countries)
    assert len({param.key for param in kind.params}) == len(kind.params)
    for param in kind.params:
        assert bool(param.columns) == (param.kind is ParamKind.TABLE)
        assert bool(param.choices) == (param.kind is ParamKind.SELECT)
        assert bool(param.domains) == (param.kind is ParamKind.ENTITY)
        assert len(set(param.choices)) == len(param.choices)
        for home in (BERLIN, LONDON, SYDNEY, NOWHERE):
            proposed = param.default(home)
            assert proposed is None or param.kind is not ParamKind.SELECT or proposed in param.choices
    provider = kind(recording(of, kind).options)
    assert of.lacks(provider, {}) <= {metric.key for metric in of.metrics}
    assert main_of(of, kind) not in of.lacks(provider, {})
    assert kind.gives <= {stored.name for stored in of.fields}
    if kind.local:
        assert provider.watched_entities() or provider.next_fetch(NOW, None) is None


@every_provider
def test_provider_proposes_a_place_where_it_covers_the_country(of: Role, kind: type[Provider]) -> None:
    for country in kind.countries:
        home = Home(latitude=0, longitude=0, country=country, currency="EUR", timezone="UTC")
        for param in kind.params:
            assert not (param.required and param.kind is ParamKind.SELECT) or param.default(home) in param.choices


# A good answer


@every_provider
async def test_good_answer_becomes_a_whole_reading(of: Role, kind: type[Provider]) -> None:
    known = recording(of, kind)
    reading = await fetch(of, kind)
    assert reading.fields[main_of(of, kind)] == pytest.approx(known.value)
    assert reading.unit == known.unit
    assert tuple(reading.tags) == of.tags
    assert all(reading.tags.values())
    assert set(reading.fields) <= {stored.name for stored in of.fields}
    assert NOW - timedelta(hours=2) < reading.observed_at <= NOW
    assert reading.observed_at.utcoffset() == timedelta()
    assert reading.fetched_at == NOW
    for name, forecast in reading.forecasts.items():
        assert name in {stored.forecast for stored in of.forecasts}
        assert forecast.issued_at == NOW
        assert forecast.slots
        ends = [slot.end for slot in forecast.slots]
        assert all(end <= slot.start for end, slot in zip(ends, forecast.slots[1:], strict=False))
    for name in kind.gives:
        assert reading.fields[name] is not None
    assert of.refine(reading, {}, known.home) == reading
    good_for = of.good_for(reading)
    assert good_for is None or good_for > timedelta()
    assert good_for is not None or reading.forecasts[of.main].at(NOW) is not None
    json.dumps([dict(reading.fields), dict(reading.notes), dict(reading.tags)])


@every_provider
async def test_metrics_and_fields_follow_from_the_reading(of: Role, kind: type[Provider]) -> None:
    reading = await fetch(of, kind)
    present = snapshot(of, kind, reading)
    fields = of.fields_at(present)
    assert fields[main_of(of, kind)] == reading.fields[main_of(of, kind)]
    for stored in of.fields:
        value = fields.get(stored.name)
        if value is not None:
            assert isinstance(value, str) == (stored.kind == "text")
            assert isinstance(value, bool) == (stored.kind == "on_off")
    lacking = of.lacks(kind(recording(of, kind).options), {})
    for metric in of.metrics:
        value = metric.value(present)
        if metric.key in lacking:
            assert value is None
        if value is not None:
            assert isinstance(value, bool) == metric.binary
            assert isinstance(value, datetime) == (metric.device_class == "timestamp")
        attributes = metric.attributes(present) if metric.attributes else {}
        json.dumps(dict(attributes))
        long = {name for name, value in attributes.items() if isinstance(value, list) and len(value) > 24}
        assert long <= metric.unrecorded


@every_provider
async def test_metrics_survive_the_time_after_the_last_slot(of: Role, kind: type[Provider]) -> None:
    late = snapshot(of, kind, await fetch(of, kind), NOW + timedelta(days=30))
    of.fields_at(late)
    for metric in of.metrics:
        metric.value(late)
        if metric.attributes:
            metric.attributes(late)


@every_provider
async def test_next_fetch_is_ahead(of: Role, kind: type[Provider]) -> None:
    provider = kind(recording(of, kind).options)
    for reading in (None, await fetch(of, kind)):
        due = provider.next_fetch(NOW, reading)
        assert due is None or NOW < due <= NOW + timedelta(days=1)


@every_provider
def test_two_sources_of_one_provider_can_be_told_apart(of: Role, kind: type[Provider]) -> None:
    known = recording(of, kind)
    for param in kind.params:
        if param.required and param.kind is ParamKind.SELECT:
            titles = {kind({**known.options, param.key: choice}).title() for choice in param.choices}
            assert len(titles) == len(param.choices)
        if param.required and param.kind is ParamKind.ENTITY:
            assert kind({**known.options, param.key: "sensor.other"}).title() != kind(known.options).title()


# What can go wrong on the way


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(Answer(b"{}", 401), SourceUnauthorized, id="401"),
        pytest.param(Answer(b"{}", 403), SourceUnauthorized, id="403"),
        pytest.param(Answer(b"", 204), SourceNoData, id="204"),
        pytest.param(Answer(b"{}", 404), SourceNoData, id="404"),
        pytest.param(Answer(b'{"error": "no"}', 400), SourceBadAnswer, id="400"),
        pytest.param(Answer(b"{}", 429), SourceRateLimited, id="429"),
        pytest.param(Answer(b"{}", 500), SourceUnreachable, id="500"),
        pytest.param(Answer(b"<html><body>Sorry</body></html>", 200), SourceBadAnswer, id="html"),
        pytest.param(Answer(b'{"data": [{"from": "2026', 200), SourceBadAnswer, id="truncated"),
    ],
)
@every_remote_provider
async def test_failure_has_its_name(of: Role, kind: type[Provider], answer: Answer, error: type[SourceError]) -> None:
    with pytest.raises(SourceError) as caught:
        await fetch(of, kind, route=lambda url: answer)
    expected = {error, SourceNoData} if answer.status == 400 and recording(of, kind).answers_400 else {error}
    assert type(caught.value) in expected


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "90"}, 90.0), ({"Retry-After": "Fri, 20 Nov 2026 18:06:30 GMT"}, 90.0), ({}, None)],
    ids=["seconds", "date", "without"],
)
@every_remote_provider
async def test_rate_limit_says_how_long(
    of: Role, kind: type[Provider], headers: dict[str, str], seconds: float | None
) -> None:
    with pytest.raises(SourceRateLimited) as caught:
        await fetch(of, kind, route=lambda url: Answer(b"{}", 429, headers))
    assert caught.value.retry_after == seconds


@every_remote_provider
async def test_server_that_never_answers_is_unreachable(of: Role, kind: type[Provider]) -> None:
    with pytest.raises(SourceUnreachable):
        await fetch(of, kind, route=lambda url: Answer(b"{}", delay=60), limit=0.01)


@pytest.mark.parametrize("body", [b"null", b"[]", b"{}", b"0", b'"x"', b"[[]]", b'{"data": []}', b'{"data": {}}'])
@every_remote_provider
async def test_empty_answer_is_no_reading(of: Role, kind: type[Provider], body: bytes) -> None:
    with pytest.raises((SourceNoData, SourceBadAnswer)):
        await fetch(of, kind, route=lambda url: Answer(body))


@every_remote_provider_of_values
async def test_answer_without_rows_or_values_is_no_data(of: Role, kind: type[Provider]) -> None:
    for change in (emptied, without_numbers) if recording(of, kind).rows else (without_numbers,):
        payloads = {part: change(payload) for part, payload in recording(of, kind).payloads().items()}
        with pytest.raises(SourceNoData):
            await fetch(of, kind, route=by_path(routes(payloads)))


@every_remote_provider_of_values
async def test_old_answer_is_never_served_as_the_present(of: Role, kind: type[Provider]) -> None:
    # The same answers whatever the URL, as it may name the time.
    payloads = iter([*recording(of, kind).payloads().values(), None])
    late = NOW + timedelta(days=30)
    try:
        reading = await fetch(of, kind, route=lambda url: Answer.of(next(payloads)), now=late)
    except SourceNoData:
        return
    good_for = of.good_for(reading)
    assert good_for is not None
    assert reading.observed_at + good_for < late


def _with(name: str) -> list[Any]:
    return [case for case in REMOTE if getattr(recording(*case.values), name)]  # type: ignore[arg-type]


PRICED, IN_A_CURRENCY = _with("unit_at"), _with("currency_at")


async def fetch_with(of: Role, kind: type[Provider], place: tuple[str, ...], other: object) -> Reading:
    """Fetch where another thing stands in an answer at `place`: the part of its URL (else in all), then a path."""
    payloads = recording(of, kind).payloads()
    parts, path = ([place[0]], place[1:]) if place[0] in payloads else ([*payloads], place)
    for part in parts:
        payloads[part] = replaced(payloads[part], path, other)
    return await fetch(of, kind, route=by_path(routes(payloads)))


@pytest.mark.parametrize("unit", ["EUR", "MWh", "EUR/GJ", "gCO2/kWh", "XYZ/MWh", 5])
@pytest.mark.parametrize(("of", "kind"), PRICED)
async def test_wrong_unit_is_a_bad_answer(of: Role, kind: type[Provider], unit: object) -> None:
    with pytest.raises(SourceBadAnswer, match="unit"):
        await fetch_with(of, kind, recording(of, kind).unit_at, unit)


@pytest.mark.parametrize("currency", ["XYZ", "", "euro", 5])
@pytest.mark.parametrize(("of", "kind"), IN_A_CURRENCY)
async def test_wrong_currency_is_a_bad_answer(of: Role, kind: type[Provider], currency: object) -> None:
    with pytest.raises(SourceBadAnswer, match="currency"):
        await fetch_with(of, kind, recording(of, kind).currency_at, currency)


@pytest.mark.parametrize(("of", "kind"), IN_A_CURRENCY)
async def test_the_currency_in_the_answer_travels_with_the_value(of: Role, kind: type[Provider]) -> None:
    reading = await fetch_with(of, kind, recording(of, kind).currency_at, "PLN")
    assert (reading.unit, reading.tags["currency"]) == ("PLN/kWh", "PLN")
    assert reading.forecasts[of.main].unit == "PLN/kWh"
    assert reading.fields[of.main] == pytest.approx(recording(of, kind).value)


@pytest.mark.parametrize(("unit", "factor"), [("EUR/MWh", 1), ("eur / kwh", 1000)])
@pytest.mark.parametrize(("of", "kind"), PRICED)
async def test_the_unit_in_the_answer_decides(of: Role, kind: type[Provider], unit: str, factor: float) -> None:
    reading = await fetch_with(of, kind, recording(of, kind).unit_at, unit)
    assert reading.fields[of.main] == pytest.approx(recording(of, kind).value * factor)
    assert reading.unit == "EUR/kWh"


@every_remote_provider
async def test_a_hole_is_no_value(of: Role, kind: type[Provider]) -> None:
    whole = await fetch(of, kind)
    payloads = {part: with_holes(payload) for part, payload in recording(of, kind).payloads().items()}
    try:
        reading = await fetch(of, kind, route=by_path(routes(payloads)))
    except SourceNoData, SourceBadAnswer:
        return
    for name, forecast in reading.forecasts.items():
        known = {slot.start: slot.value for slot in whole.forecasts[name].slots}
        assert {slot.start: slot.value for slot in forecast.slots}.items() <= known.items()


@pytest.mark.parametrize("minutes", [-40, -10, 10, 40])
@every_remote_provider
async def test_the_source_may_have_another_time_than_we(of: Role, kind: type[Provider], minutes: int) -> None:
    now = NOW + timedelta(minutes=minutes)
    try:
        reading = by_our_clock(await fetch(of, kind, now=now), now)
    except SourceNoData, SourceBadAnswer:
        # It has nothing for our present, which is an answer too.
        return
    assert reading.observed_at <= now
    assert reading.fetched_at == now
    forecast = reading.forecasts.get(of.main)
    if forecast is not None and (slot := forecast.at(now)) is not None and of.slot_bound:
        assert reading.fields[of.main] == slot.value


@every_remote_provider
async def test_whatever_is_wrong_in_an_answer_has_a_name(of: Role, kind: type[Provider]) -> None:
    known = recording(of, kind).payloads()
    outcomes = {"read": 0, "refused": 0}
    for part, payload in known.items():
        others = routes({name: other for name, other in known.items() if name != part})
        for broken in spoiled(payload):
            answers = {part: Answer.of(broken), **others}
            try:
                reading = await fetch(of, kind, route=by_path(answers))
            except SourceNoData, SourceBadAnswer:
                outcomes["refused"] += 1
            else:
                outcomes["read"] += 1
                snapshot_ = snapshot(of, kind, reading)
                of.fields_at(snapshot_)
                for metric in of.metrics:
                    metric.value(snapshot_)
    assert min(outcomes.values()) > 0


DAYS = [
    pytest.param(datetime(2026, 3, 28, 23, tzinfo=UTC), 23, id="23h"),
    pytest.param(datetime(2026, 7, 14, 22, tzinfo=UTC), 24, id="24h"),
    pytest.param(datetime(2026, 10, 24, 22, tzinfo=UTC), 25, id="25h"),
]


DAYS_OF = [(provider, known.day) for (_, provider), known in RECORDINGS.items() if known.day is not None]


@pytest.mark.parametrize("length", [15, 30, 60])
@pytest.mark.parametrize(("start", "hours"), DAYS)
@pytest.mark.parametrize(("provider", "write"), DAYS_OF, ids=[name for name, _ in DAYS_OF])
async def test_day_of_the_market_has_all_its_slots_and_prices_may_be_negative(
    provider: str, write: DayAnswer, start: datetime, hours: int, length: int
) -> None:
    of = role("electricity_pricing")
    kind = of.provider(provider)
    count = hours * 60 // length
    # The slot with number n costs n/1000 - 0.05 per kWh: negative until the fiftieth.
    prices = [index / 1000 - 0.05 for index in range(count)]
    noon = start + timedelta(hours=12)
    payload = write(start, timedelta(minutes=length), prices)
    access = recording(of, kind).access()
    if kind.local:
        access = FakeAccess()
        attributes: dict[str, object] = {"prices": payload} if provider == "entity" else {}
        access.add("sensor.epex_spot_price", "0.2", platform="energyzero", unit="EUR/kWh", **attributes)
        access.actions = lambda domain, name, parameters: {"prices": payload}
    route = by_path(routes(payload)) if isinstance(payload, Routed) else lambda url: Answer.of(payload)
    reading = await fetch(of, kind, route=route, access=access, now=noon)
    present = snapshot(of, kind, reading, noon)
    slots = reading.forecasts[of.main].slots
    assert [slot.value for slot in slots] == pytest.approx(prices)
    assert slots[0].start == start
    assert slots[-1].end == start + timedelta(hours=hours)
    assert reading.fields[of.main] == pytest.approx((12 * 60 // length) / 1000 - 0.05)
    # Prices rise all day, so its first four hours are the cheapest and its last four the dearest.
    fields = of.fields_at(present)
    begins = [start + timedelta(hours=hour) for hour in range(hours)]
    assert json.loads(str(fields["cheapest_hours"])) == [begin.isoformat() for begin in begins[:4]]
    assert json.loads(str(fields["most_expensive_hours"])) == [begin.isoformat() for begin in begins[-4:]]


@every_remote_provider
async def test_fetch_can_be_cancelled(of: Role, kind: type[Provider]) -> None:
    task = asyncio.ensure_future(fetch(of, kind, route=lambda url: Answer(b"{}", delay=60), limit=60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# Sources in the home itself


@pytest.mark.parametrize("state", [None, "unknown", "unavailable", "", "nan", "inf"])
@every_provider_of_one_entity
async def test_entity_without_a_value_is_no_data(of: Role, kind: type[Provider], state: str | None) -> None:
    access = FakeAccess()
    if state is not None:
        access.add(
            str(recording(of, kind).options["entity"]), state, platform="nordpool", unit=recording(of, kind).unit
        )
    with pytest.raises(SourceNoData):
        await fetch(of, kind, access=access)


@every_provider_of_one_entity
async def test_entity_in_a_wrong_unit_is_a_bad_answer(of: Role, kind: type[Provider]) -> None:
    for unit in recording(of, kind).wrong_units:
        access = FakeAccess()
        access.add(str(recording(of, kind).options["entity"]), "0.2", platform="nordpool", unit=unit)
        with pytest.raises(SourceBadAnswer, match=unit):
            await fetch(of, kind, access=access)


@every_local_provider
async def test_local_source_sends_no_request(of: Role, kind: type[Provider]) -> None:
    def route(url: str) -> Answer:
        pytest.fail(f"asked {url}")

    assert await fetch(of, kind, route=route)
