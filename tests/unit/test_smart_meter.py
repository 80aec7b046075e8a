"""Meters: what each provider makes of its home, nothing counted twice, and standby from what is stored."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError
from pyemvue import auth
import pytest
import requests

from custom_components.strata.core.stretch import Past, Stretch
from custom_components.strata.sources.base import (
    Json,
    Reading,
    Snapshot,
    SourceBadAnswer,
    SourceError,
    SourceNoData,
    SourceRateLimited,
    SourceUnauthorized,
    SourceUnreachable,
)
from custom_components.strata.sources.smart_meter import SMART_METER
from custom_components.strata.sources.smart_meter.emporia_vue import EmporiaVue
from custom_components.strata.sources.smart_meter.energy_dashboard import EnergyDashboard
from custom_components.strata.sources.smart_meter.entity import Entity
from custom_components.strata.sources.smart_meter.meter import Circuit, each_once
from custom_components.strata.sources.smart_meter.sense import Sense
from tests.contracts.recordings.smart_meter import RECORDINGS, emporia
from tests.source_world import BERLIN, NOW, Answer, FakeAccess, by_path, recorded, world

MIDNIGHT = datetime(2026, 11, 19, 23, tzinfo=UTC)
"""In Berlin."""


def circuits(reading: Reading) -> dict[str, dict[str, object]]:
    return {
        part.tags["circuit_name"]: dict(part.fields)
        for part in reading.parts
        if part.measurement == "smart_meter_circuit"
    }


def at(access: FakeAccess, entity_id: str, state: object, moment: datetime, **attributes: object) -> None:
    access.add(entity_id, str(state), **attributes)
    object.__setattr__(access.states[entity_id], "last_updated", moment)


# Circuits


@pytest.mark.parametrize(
    ("given", "own"),
    [
        ([("a", 100, None), ("b", 30, "a"), ("c", 20, "a")], {"A": 50, "B": 30, "C": 20}),
        # Three deep: each takes what is directly inside it away.
        ([("c", 10, "b"), ("b", 40, "a"), ("a", 100, None)], {"A": 60, "B": 30, "C": 10}),
        # Read at different moments: the inner one may show more than the outer.
        ([("a", 100, None), ("b", 130, "a")], {"A": 0, "B": 130}),
        # Inside of what is not there, and inside of itself.
        ([("a", 100, "x"), ("b", 30, "b")], {"A": 100, "B": 30}),
        # What flows backwards stays what it is.
        ([("a", -100, None), ("b", 20, "a")], {"A": -120, "B": 20}),
        ([], {}),
    ],
)
def test_nothing_counts_twice(given: list[tuple[str, float, str | None]], own: dict[str, float]) -> None:
    assert each_once([Circuit(key, watts, inside, key.upper()) for key, watts, inside in given]) == own


def test_circuits_of_one_name_are_one() -> None:
    assert each_once([Circuit("a", 10, None, "Light"), Circuit("b", 5, None, "Light")]) == {"Light": 15}


# The Energy dashboard


DASHBOARD = RECORDINGS["energy_dashboard"]


async def dashboard(
    access: FakeAccess | None = None,
    *,
    provider: EnergyDashboard | None = None,
    now: datetime = NOW,
    memory: dict[str, Json] | None = None,
) -> Reading:
    context, session = world(access=access or DASHBOARD.access(), now=now, memory=memory)
    reading = await (provider or EnergyDashboard({})).fetch(context)
    assert session.asked == []
    return reading


async def test_energy_dashboard_is_read_without_asking() -> None:
    provider = EnergyDashboard({})
    assert provider.watched_entities() == ()
    reading = await dashboard(provider=provider)
    assert reading.tags == {"meter_type": "energy_dashboard"}
    fields = reading.fields
    # -0.4 kW at one meter, 100 W at the other; the roof gives 2500 W, of which 800 W go into the battery.
    assert fields["total_power_w"] == pytest.approx(-300)
    assert fields["solar_power_w"] == 2500
    assert fields["battery_power_w"] == -800
    assert fields["house_power_w"] == pytest.approx(1400)
    # The oven and the fridge are in the kitchen's 700 W; the heat pump is not there now.
    assert circuits(reading) == {
        "Kitchen": {"power_w": 20, "percentage": pytest.approx(100 * 20 / 1400)},
        "Fridge": {"power_w": 80, "percentage": pytest.approx(100 * 80 / 1400)},
        "Oven": {"power_w": 600, "percentage": pytest.approx(100 * 600 / 1400)},
    }
    assert fields["circuit_power_w"] == 700
    assert reading.notes["left_out"] == ["opower:utility_elec_1_energy_consumption"]
    assert "sensor.meter_power" in provider.watched_entities()
    assert "sensor.heat_pump_power" in provider.watched_entities()
    assert "sensor.gas" not in provider.watched_entities()


async def test_half_a_sum_is_no_answer() -> None:
    access = DASHBOARD.access()
    access.add("sensor.roof_power", "unavailable", unit="W")
    reading = await dashboard(access)
    assert reading.fields["house_power_w"] is None
    assert reading.fields["solar_power_w"] is None
    assert reading.fields["total_power_w"] == pytest.approx(-300)
    assert {"percentage" in fields for fields in circuits(reading).values()} == {False}


@pytest.mark.parametrize("power", ["-3000", "-1700"])
async def test_no_share_of_nothing_or_less(power: str) -> None:
    access = DASHBOARD.access()
    access.add("sensor.meter_power", power, unit="W")
    access.add("sensor.garage_meter_power", "0", unit="W")
    reading = await dashboard(access)
    assert float(str(reading.fields["house_power_w"])) <= 0
    assert {"percentage" in fields for fields in circuits(reading).values()} == {False}


@pytest.mark.parametrize(
    "preferences", [{}, {"energy_sources": []}, {"energy_sources": [{"type": "solar", "stat_energy_from": "sensor.x"}]}]
)
async def test_dashboard_without_a_grid_connection(preferences: dict[str, Json]) -> None:
    access = FakeAccess()
    access.preferences = preferences
    with pytest.raises(SourceNoData, match="grid"):
        await dashboard(access)


async def test_dashboard_that_is_not_as_known() -> None:
    access = FakeAccess()
    access.preferences = {"energy_sources": "x"}
    with pytest.raises(SourceBadAnswer):
        await dashboard(access)


def energy_home(**sources: Json) -> FakeAccess:
    access = FakeAccess()
    grid: dict[str, Json] = {"type": "grid", "stat_energy_from": "sensor.imported", **sources}
    access.preferences = {"energy_sources": [grid], "device_consumption": []}
    return access


async def test_power_follows_from_energy() -> None:
    access = energy_home(stat_energy_to="sensor.exported")
    provider, memory = EnergyDashboard({}), {}
    at(access, "sensor.imported", 100.0, NOW, unit="kWh")
    at(access, "sensor.exported", 50_000, NOW, unit="Wh")
    first = await dashboard(access, provider=provider, memory=memory)
    assert first.fields["total_power_w"] is None
    assert first.fields["daily_kwh"] == 0
    later = NOW + timedelta(minutes=6)
    at(access, "sensor.imported", 100.3, later, unit="kWh")
    at(access, "sensor.exported", 50_100, later, unit="Wh")
    second = await dashboard(access, provider=provider, memory=memory, now=later)
    # 0.3 kWh in a tenth of an hour less 0.1 kWh the other way.
    assert second.fields["total_power_w"] == pytest.approx(2000)
    assert second.fields["daily_kwh"] == pytest.approx(0.3)
    # Registers that do not move any more: it goes on for three steps of 6 minutes, then nothing flows.
    assert (await dashboard(access, provider=provider, memory=memory, now=later + timedelta(minutes=18))).fields[
        "total_power_w"
    ] == pytest.approx(2000)
    still = await dashboard(access, provider=provider, memory=memory, now=later + timedelta(minutes=19))
    assert still.fields["total_power_w"] == 0
    # After a restart what was kept goes on.
    again = later + timedelta(minutes=25)
    at(access, "sensor.imported", 100.4, again, unit="kWh")
    reading = await dashboard(access, provider=EnergyDashboard({}), memory=memory, now=again)
    assert reading.fields["daily_kwh"] == pytest.approx(0.4)


async def test_register_that_starts_again_is_skipped() -> None:
    access = energy_home()
    provider = EnergyDashboard({})
    for minutes, kwh, expected in ((0, 100.0, None), (6, 100.1, 1000.0), (12, 0.5, None), (18, 0.6, 1000.0)):
        moment = NOW + timedelta(minutes=minutes)
        at(access, "sensor.imported", kwh, moment, unit="kWh")
        reading = await dashboard(access, provider=provider, now=moment)
        power = reading.fields["total_power_w"]
        assert power == (None if expected is None else pytest.approx(expected))
    assert reading.fields["daily_kwh"] == pytest.approx(0.2)


async def test_steps_too_close_together_wait_for_the_next() -> None:
    access = energy_home()
    provider = EnergyDashboard({})
    for seconds, kwh in ((0, 100.0), (5, 100.01), (36, 100.02)):
        moment = NOW + timedelta(seconds=seconds)
        at(access, "sensor.imported", kwh, moment, unit="kWh")
        reading = await dashboard(access, provider=provider, now=moment)
    # 0.02 kWh in 36 s.
    assert reading.fields["total_power_w"] == pytest.approx(2000)


async def test_what_went_through_over_midnight_is_shared() -> None:
    access = energy_home()
    provider = EnergyDashboard({})
    midnight = MIDNIGHT + timedelta(days=1)
    for minutes, kwh in ((-60, 10.0), (-15, 11.0)):
        at(access, "sensor.imported", kwh, midnight + timedelta(minutes=minutes), unit="kWh")
        reading = await dashboard(access, provider=provider, now=midnight + timedelta(minutes=minutes))
    assert reading.fields["daily_kwh"] == pytest.approx(1.0)
    assert (await dashboard(access, provider=provider, now=midnight)).fields["daily_kwh"] == 0
    at(access, "sensor.imported", 13.0, midnight + timedelta(minutes=30), unit="kWh")
    reading = await dashboard(access, provider=provider, now=midnight + timedelta(minutes=30))
    # 2 kWh in 45 minutes, 30 of which are today's.
    assert reading.fields["daily_kwh"] == pytest.approx(2 * 30 / 45)


async def test_today_and_now_are_told_by_our_history_when_a_register_is_met() -> None:
    access = energy_home()
    at(access, "sensor.imported", 100.0, NOW, unit="kWh")
    quarters = [MIDNIGHT - timedelta(minutes=15), MIDNIGHT, NOW - timedelta(minutes=20)]
    access.pasts["sensor.imported", "raw"] = Past(
        tuple(Stretch(start=one, end=one + timedelta(minutes=15), known=900, increase=500.0) for one in quarters), "Wh"
    )
    reading = await dashboard(access)
    # 0.5 kWh in each of two quarters of today; the newest quarter ended five minutes ago.
    assert reading.fields["daily_kwh"] == pytest.approx(1.0)
    assert reading.fields["total_power_w"] == pytest.approx(2000)
    access.pasts["sensor.imported", "raw"] = Past(access.pasts["sensor.imported", "raw"].stretches, "EUR")
    assert (await dashboard(access)).fields["daily_kwh"] == 0


async def test_kept_registers_of_another_version_are_left() -> None:
    access = energy_home()
    at(access, "sensor.imported", 100.0, NOW, unit="kWh")
    reading = await dashboard(access, memory={"registers": {"sensor.imported": {"litres": 5}}})
    assert reading.fields["daily_kwh"] == 0


async def test_energy_in_no_unit_of_energy() -> None:
    access = energy_home()
    at(access, "sensor.imported", 100.0, NOW, unit="EUR")
    with pytest.raises(SourceBadAnswer, match=r"sensor\.imported"):
        await dashboard(access)


async def test_export_alone_is_a_connection_too() -> None:
    access = energy_home(stat_energy_from=None, stat_energy_to="sensor.exported")
    provider = EnergyDashboard({})
    for minutes, kwh in ((0, 10.0), (6, 10.1)):
        moment = NOW + timedelta(minutes=minutes)
        at(access, "sensor.exported", kwh, moment, unit="kWh")
        try:
            reading = await dashboard(access, provider=provider, now=moment)
        except SourceNoData:
            assert minutes == 0
    assert reading.fields["total_power_w"] == pytest.approx(-1000)


# Entities


async def entity(access: FakeAccess, provider: Entity | None = None, now: datetime = NOW, **options: Any) -> Reading:
    context, _ = world(access=access, now=now)
    known = provider or Entity({"entity": "sensor.house_power", **options})
    return await known.fetch(context)


async def test_entities_make_a_meter() -> None:
    access = RECORDINGS["entity"].access()
    access.add("sensor.roof", "0.5", unit="kW")
    access.add("sensor.battery", "-100", unit="W")
    chosen = {
        **RECORDINGS["entity"].options,
        "solar_entities": ["sensor.roof"],
        "battery_entities": ["sensor.battery"],
        "inverted": True,
    }
    provider = Entity(chosen)
    reading = await entity(access, provider)
    assert reading.tags == {"meter_type": "entity:sensor.house_power"}
    assert reading.fields["total_power_w"] == -1250
    assert reading.fields["house_power_w"] == -850
    assert circuits(reading) == {"Washer": {"power_w": 500}}
    assert set(provider.watched_entities()) == {
        "sensor.house_power",
        "sensor.house_energy",
        "sensor.roof",
        "sensor.battery",
        "sensor.washer_power",
        "sensor.dryer_power",
    }


async def test_an_energy_entity_alone_is_a_meter() -> None:
    access = FakeAccess()
    provider = Entity({"entity": "sensor.house_power"})
    for minutes, kwh in ((0, 10.0), (6, 10.2)):
        moment = NOW + timedelta(minutes=minutes)
        at(access, "sensor.house_power", kwh, moment, unit="kWh")
        reading = await entity(access, provider, moment)
    assert reading.fields["total_power_w"] == pytest.approx(2000)
    assert reading.fields["daily_kwh"] == pytest.approx(0.2)


# Sense


async def sense(access: FakeAccess) -> Reading:
    context, _ = world(access=access)
    return await Sense({}).fetch(context)


async def test_sense_is_found_by_its_entities() -> None:
    reading = await sense(RECORDINGS["sense"].access())
    assert reading.fields["house_power_w"] == 1800
    assert reading.fields["solar_power_w"] == 2300
    assert reading.fields["daily_kwh"] == 14.2
    assert {name: fields["power_w"] for name, fields in circuits(reading).items()} == {"Dryer": 900, "Always On": 210}


async def test_sense_without_a_roof_takes_all_from_the_grid() -> None:
    access = RECORDINGS["sense"].access()
    access.add("sensor.sense_1234_daily_production", "0.0", platform="sense", unit="kWh")
    access.add("sensor.sense_1234_production", "0", platform="sense", unit="W")
    assert (await sense(access)).fields["daily_kwh"] == 21.5


async def test_no_sense_at_all() -> None:
    with pytest.raises(SourceNoData, match="Sense"):
        await sense(FakeAccess())


# Emporia


EMPORIA = RECORDINGS["emporia_vue"]


async def emporia_reading(
    monkeypatch: pytest.MonkeyPatch, provider: EmporiaVue | None = None, now: datetime = NOW, **changed: Any
) -> tuple[Reading, list[str]]:
    payloads = {
        part: changed.get(part.partition("=")[2] or "devices", body) for part, body in EMPORIA.payloads().items()
    }
    asked: list[str] = []
    route = by_path({part: Answer.of(body) for part, body in payloads.items()})

    def watched(url: str) -> Answer:
        asked.append(url)
        return route(url)

    emporia(monkeypatch, watched, 1.0)
    context, _ = world(now=now)
    return await (provider or EmporiaVue(EMPORIA.options)).fetch(context), asked


async def test_emporia_counts_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, asked = await emporia_reading(monkeypatch)
    # The mains draw 1200 W and the roof gives 1800 W.
    assert reading.fields["total_power_w"] == pytest.approx(1200)
    assert reading.fields["solar_power_w"] == pytest.approx(1800)
    assert reading.fields["house_power_w"] == pytest.approx(3000)
    # The saw is in the workshop's 1500 W; balance and mains are no circuits, the attic does not report.
    powers = {name: fields["power_w"] for name, fields in circuits(reading).items()}
    assert powers == {
        "Kitchen": pytest.approx(600),
        "Workshop": pytest.approx(300),
        "Saw": pytest.approx(1200),
        "Coffee machine": pytest.approx(300),
    }
    # Of the panel; the plug is behind it.
    assert reading.fields["daily_kwh"] == 11.5
    assert reading.observed_at == datetime(2026, 11, 20, 18, 4, tzinfo=UTC)
    assert len(asked) == 3
    assert "deviceGids=1234+3456&instant=2026-11-20T18:04:30Z&scale=1MIN&energyUnit=KilowattHours" in asked[1]


async def test_emporia_is_asked_for_its_devices_twice_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = EmporiaVue(EMPORIA.options)
    assert len((await emporia_reading(monkeypatch, provider))[1]) == 3
    assert len((await emporia_reading(monkeypatch, provider, NOW + timedelta(minutes=5)))[1]) == 2
    assert len((await emporia_reading(monkeypatch, provider, NOW + timedelta(hours=12)))[1]) == 3


def usages(*channels: dict[str, Any], gid: int = 1234) -> dict[str, Any]:
    rows = [{"deviceGid": gid, **channel} for channel in channels]
    devices = [{"deviceGid": gid, "channelUsages": rows}]
    return {"deviceListUsages": {"instant": "2026-11-20T18:04:00Z", "devices": devices}}


async def test_emporia_mains_that_tell_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    minute = usages(
        {"channelNum": "1,2,3", "usage": 0.01},
        {"channelNum": "MainsFromGrid", "usage": 0.0},
        {"channelNum": "MainsToGrid", "usage": -0.02},
        {"channelNum": "TotalUsage", "usage": 0.05},
    )
    day = usages({"channelNum": "1,2,3", "usage": 3.0}, {"channelNum": "MainsFromGrid", "usage": 4.0})
    reading, _ = await emporia_reading(monkeypatch, **{"1MIN": minute, "1D": day})
    assert reading.fields["total_power_w"] == pytest.approx(-1200)
    assert reading.fields["daily_kwh"] == 4.0
    assert circuits(reading) == {}


async def test_emporia_plug_alone_is_the_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    one = usages({"channelNum": "1,2,3", "usage": 0.01}, gid=3456)
    reading, _ = await emporia_reading(monkeypatch, **{"1MIN": one, "1D": one})
    assert reading.fields["total_power_w"] == pytest.approx(600)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"1MIN": usages({"channelNum": "1,2,3", "usage": None}, {"channelNum": "1", "usage": 1.0})}, SourceNoData),
        ({"1MIN": usages({"usage": 1.0})}, SourceBadAnswer),
        ({"1MIN": usages()}, SourceNoData),
        ({"devices": {"devices": []}}, SourceNoData),
        ({"devices": []}, SourceNoData),
    ],
)
async def test_emporia_without_mains(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], error: type[SourceError]
) -> None:
    with pytest.raises(error):
        await emporia_reading(monkeypatch, **changed)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "InitiateAuth")


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (refusal("NotAuthorizedException"), SourceUnauthorized),
        (refusal("UserNotFoundException"), SourceUnauthorized),
        (refusal("TooManyRequestsException"), SourceRateLimited),
        (refusal("InternalErrorException"), SourceUnreachable),
        (EndpointConnectionError(endpoint_url="https://cognito"), SourceUnreachable),
        (requests.ConnectionError("no"), SourceUnreachable),
        (KeyError("exp"), SourceBadAnswer),
    ],
)
async def test_emporia_login_that_fails(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, error: type[SourceError]
) -> None:
    emporia(monkeypatch, lambda url: Answer(), 1.0)

    def refresh_tokens(account: auth.Auth) -> None:
        assert account.cognito.account["username"] == "anna@example.org"
        raise failure

    monkeypatch.setattr(auth.Auth, "refresh_tokens", refresh_tokens)
    context, _ = world()
    with pytest.raises(error) as caught:
        await EmporiaVue(EMPORIA.options).fetch(context)
    assert "secret" not in str(caught.value)


def test_emporia_source_is_named_after_its_account() -> None:
    assert EmporiaVue(EMPORIA.options).title() == "Anna"


# High power


async def test_high_power_does_not_flicker() -> None:
    access, memory, provider = FakeAccess(), {}, Entity({"entity": "sensor.house_power", "high_power_kw": 2})
    seen, snapshots = [], []
    for minute, watts in enumerate((1900, 2000, 2001, 1900, 1801, 1799, 1900)):
        access.add("sensor.house_power", str(watts), unit="W")
        now = NOW + timedelta(minutes=minute)
        context, _ = world(access=access, now=now, memory=memory)
        reading = await provider.fetch(context)
        seen.append(reading.fields["high_power"])
        snapshots.append(Snapshot(reading=reading, now=now, provider="entity", home=BERLIN))
    assert seen == [False, False, True, True, True, False, False]
    (event,) = SMART_METER.events
    told = [event.occurred(before, after) for before, after in pairwise(snapshots)]
    assert [one.type if one else None for one in told] == [None, "began", None, None, "ended", None]
    assert told[1] is not None
    assert dict(told[1].attributes) == {"power_w": 2001, "limit_w": 2000, "circuits": []}


async def test_unknown_power_is_no_event() -> None:
    access = energy_home()
    at(access, "sensor.imported", 100.0, NOW, unit="kWh")
    unknown = await dashboard(access)
    known = await dashboard()
    assert unknown.fields["high_power"] is None
    (event,) = SMART_METER.events
    one, other = (Snapshot(reading=reading, now=NOW, provider="x", home=BERLIN) for reading in (unknown, known))
    assert event.occurred(one, other) is None
    assert event.occurred(other, one) is None


# Standby


def nights(first: datetime, count: int, watts: float, *, unit: str = "W") -> Past:
    """Five-minute means: 100 W more than `watts` but for a quarter after 03:00 UTC."""
    stretches = []
    for number in range(count * 288):
        start = first + timedelta(minutes=5 * number)
        quiet = start.hour == 3 and start.minute < 15
        stretches.append(
            Stretch(start=start, end=start + timedelta(minutes=5), known=300, mean=watts + (0 if quiet else 100))
        )
    return Past(tuple(stretches), unit)


async def standing(access: FakeAccess, memory: dict[str, Json], now: datetime = NOW, **options: Any) -> Reading:
    access.add("sensor.house_power", "500", unit="W")
    context, _ = world(access=access, now=now, memory=memory)
    return await Entity({"entity": "sensor.house_power", **options}).fetch(context)


SERIES = ("smart_meter", "house_power_w", "five_minute")


async def test_standby_from_the_nights_that_are_stored() -> None:
    access, memory = FakeAccess(), {}
    access.pasts[SERIES] = nights(NOW - timedelta(days=20), 20, 60)
    access.pasts["electricity_pricing", "total_price", "daily"] = Past(
        (
            Stretch(start=NOW - timedelta(days=3), end=NOW - timedelta(days=2), known=86400, mean=200.0),
            Stretch(start=NOW - timedelta(days=2), end=NOW - timedelta(days=1), known=43200, mean=500.0),
        ),
        "EUR/MWh",
    )
    reading = await standing(access, memory)
    fields = reading.fields
    assert fields["standby_power_w"] == pytest.approx(60)
    # (0.2 x 24 + 0.5 x 12) / 36 = 0.3 EUR/kWh for 0.06 kW x 8760 h.
    assert fields["standby_cost_year"] == pytest.approx(0.3 * 525.6)
    assert reading.notes["standby_currency"] == "EUR"
    assert fields["standby_trend_w"] == pytest.approx(0)
    assert fields["standby_risen"] is False
    points = [part for part in reading.parts if part.measurement == "standby_load"]
    assert len(points) == reading.notes["standby_nights"] == 20
    # The night of the 20th ends at 5 in Berlin.
    assert points[-1].at == datetime(2026, 11, 20, 4, tzinfo=UTC)
    assert points[-1].fields == {"power_w": pytest.approx(60)}
    snapshot = Snapshot(reading=reading, now=NOW, provider="entity", home=BERLIN)
    (cost,) = [metric for metric in SMART_METER.metrics if metric.key == "standby_cost_year"]
    assert cost.unit_of is not None
    assert cost.unit_of(snapshot) == "EUR"

    access.looked_back.clear()
    again = await standing(access, memory, NOW + timedelta(hours=1))
    assert SERIES not in access.looked_back
    assert [part.at for part in again.parts if part.measurement == "standby_load"] == [points[-1].at]
    # At 05:15 in Berlin the last hour's summaries may not be there, at 06:15 they are.
    await standing(access, memory, datetime(2026, 11, 21, 4, 15, tzinfo=UTC))
    assert SERIES not in access.looked_back
    access.pasts[SERIES] = nights(datetime(2026, 11, 21, tzinfo=UTC), 1, 90)
    newer = await standing(access, memory, datetime(2026, 11, 21, 5, 15, tzinfo=UTC))
    assert SERIES in access.looked_back
    assert newer.notes["standby_nights"] == 21
    assert [part.fields["power_w"] for part in newer.parts] == [pytest.approx(90)]


async def test_known_loads_do_not_count_as_standby() -> None:
    access = FakeAccess()
    access.pasts[SERIES] = nights(NOW - timedelta(days=20), 20, 60)
    server = nights(NOW - timedelta(days=20), 20, 0)
    level = tuple(Stretch(start=one.start, end=one.end, known=300, mean=0.025) for one in server.stretches)
    access.pasts["sensor.server", "five_minute"] = Past(level, "kW")
    access.pasts["sensor.clock", "five_minute"] = Past(level, "EUR")
    reading = await standing(access, {}, always_on=["sensor.server", "sensor.clock"])
    assert reading.fields["standby_power_w"] == pytest.approx(35)


async def test_standby_needs_fourteen_nights() -> None:
    access = FakeAccess()
    access.pasts[SERIES] = nights(NOW - timedelta(days=13), 13, 60)
    reading = await standing(access, {})
    assert reading.fields["standby_power_w"] is None
    assert reading.fields["standby_cost_year"] is None
    assert reading.notes["standby_nights"] == 13
    assert (await standing(FakeAccess(), {})).notes["standby_nights"] == 0


@pytest.mark.parametrize(
    ("grid", "state", "cost"),
    [
        ({"number_energy_price": 0.25}, None, 0.25 * 525.6),
        ({"entity_energy_price": "sensor.price"}, ("30", "ct/kWh"), 0.3 * 525.6),
        ({"entity_energy_price": "sensor.price"}, ("unknown", "ct/kWh"), None),
        ({"entity_energy_price": "sensor.price"}, ("30", "W"), None),
        ({}, None, None),
    ],
)
async def test_cost_by_the_price_of_the_dashboard(
    grid: dict[str, Json], state: tuple[str, str] | None, cost: float | None
) -> None:
    access = FakeAccess()
    access.pasts[SERIES] = nights(NOW - timedelta(days=20), 20, 60)
    access.preferences = {"energy_sources": [{"type": "grid", **grid}]}
    if state:
        access.add("sensor.price", state[0], unit=state[1])
    reading = await standing(access, {})
    assert reading.fields["standby_cost_year"] == (None if cost is None else pytest.approx(cost))


def test_fixture_of_the_dashboard_names_what_it_holds() -> None:
    preferences = recorded("smart_meter/energy_dashboard/preferences.json")
    assert {source["type"] for source in preferences["energy_sources"]} == {"grid", "solar", "battery", "gas"}
