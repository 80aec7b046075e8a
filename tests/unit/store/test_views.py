"""Views against days worked out by hand."""

from collections.abc import Iterator
from datetime import date
import json
from pathlib import Path

import pytest

from custom_components.strata.core.model import Kind, Series, SeriesKey, TimeRange
from custom_components.strata.store.base import Cursor
from custom_components.strata.store.tiers import HOURLY, RAW
from custom_components.strata.store.views.day import Inputs
from custom_components.strata.store.views.query import MaterializedViews
from tests.unit.store.view_home import ViewHome, berlin, on

DEVICES = "daily_energy_by_device"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ViewHome]:
    made = ViewHome(tmp_path, berlin(1))
    yield made
    made.store.close()


def kettle(home: ViewHome, **labels: str) -> Series:
    return home.entity("sensor.kettle_power", unit="W", device_class="power", device_id="kettle", **labels)


def kettle_energy(home: ViewHome, unit: str = "kWh") -> Series:
    return home.entity("sensor.kettle_energy", Kind.METER, unit, device_class="energy", device_id="kettle")


def test_power_is_integrated_and_paid_at_the_price_of_its_hour(home: ViewHome) -> None:
    # 2000 W for half an hour at 0.30 and for an hour at 0.10: 1.0 kWh x 0.30 + 2.0 kWh x 0.10 with 400 and 100 g.
    home.put(kettle(home), (berlin(1), 0.0), (berlin(1, 7, 30), 2000.0), (berlin(1, 9), 0.0), (berlin(2), None))
    home.put(home.price(), (berlin(1), 0.30), (berlin(1, 8), 0.10), (berlin(2), None))
    home.put(home.carbon(), (berlin(1), 400.0), (berlin(1, 8), 100.0), (berlin(2), None))
    home.refresh(berlin(2, 1))
    row = home.row(DEVICES, entities=["sensor.kettle_power"], **on(1))
    assert row == {
        "date": "2026-06-01",
        "entity_id": "sensor.kettle_power",
        "total_kwh": pytest.approx(3.0),
        "avg_power": pytest.approx(125.0),
        "peak_power": 2000.0,
        "cost": pytest.approx(0.50),
        "currency": "EUR",
        "carbon_kg": pytest.approx(0.6),
        "cost_kwh": pytest.approx(3.0),
        "carbon_kwh": pytest.approx(3.0),
    }


def test_within_an_hour_the_price_is_the_mean_over_time(home: ViewHome) -> None:
    home.put(kettle(home), (berlin(1), 1000.0), (berlin(1, 1), None))
    home.put(home.price("ct/kWh"), (berlin(1), 10.0), (berlin(1, 0, 45), 50.0), (berlin(1, 1), None))
    home.refresh(berlin(1, 2))
    # 45 minutes of 10 ct and 15 of 50 ct are 20 ct.
    row = home.row(DEVICES)
    assert (row["total_kwh"], row["cost"], row["currency"]) == (pytest.approx(1.0), pytest.approx(0.20), "EUR")


@pytest.mark.parametrize(("unit", "scale"), [("kWh", 1.0), ("Wh", 1000.0), ("MWh", 0.001)])
def test_a_devices_meter_wins_over_its_power_in_any_unit(home: ViewHome, unit: str, scale: float) -> None:
    home.put(kettle(home), (berlin(1), 500.0), (berlin(1, 12), 900.0), (berlin(2), None))
    home.put(kettle_energy(home, unit), (berlin(1), 10.0 * scale), (berlin(1, 13), 17.5 * scale), (berlin(2), None))
    home.refresh(berlin(2, 1))
    row = home.row(DEVICES, **on(1))
    assert row["entity_id"] == "sensor.kettle_energy"
    assert row["total_kwh"] == pytest.approx(7.5)
    assert (row["avg_power"], row["peak_power"]) == (pytest.approx(700.0), 900.0)
    assert (row["cost"], row["currency"], row["carbon_kg"], row["cost_kwh"]) == (None, None, None, 0.0)


def test_kilowatts_are_told_in_watts(home: ViewHome) -> None:
    home.put(home.entity("sensor.oven_power", unit="kW"), (berlin(1), 1.5), (berlin(1, 2), None))
    home.refresh(berlin(1, 3))
    row = home.row(DEVICES)
    assert (row["total_kwh"], row["avg_power"], row["peak_power"]) == (pytest.approx(3.0), 1500.0, 1500.0)


def test_a_meter_without_power_tells_the_mean_of_its_hours(home: ViewHome) -> None:
    meter = kettle_energy(home)
    home.put(meter, (berlin(1), 0.0), (berlin(1, 0, 30), 0.5), (berlin(1, 1, 30), 3.5), (berlin(1, 4), None))
    home.refresh(berlin(1, 5))
    row = home.row(DEVICES)
    # 3.5 kWh in the 4 hours it was known; the second hour took 3.0 of them.
    assert (row["total_kwh"], row["avg_power"], row["peak_power"]) == (
        pytest.approx(3.5),
        pytest.approx(875.0),
        pytest.approx(3000.0),
    )


def test_power_does_not_stand_in_for_a_meter_that_is_only_silent(home: ViewHome) -> None:
    home.put(kettle(home), (berlin(1), 100.0))
    meter = kettle_energy(home)
    home.put(meter, (berlin(1), 1.0), (berlin(1, 20), 3.0), (berlin(2), None), (berlin(4, 12), 8.0))
    home.refresh(berlin(5))
    told = {row["date"]: (row["entity_id"], row["total_kwh"]) for row in home.rows(DEVICES)}
    # What was used on the 2nd and 3rd is in what the meter counts on the 4th.
    assert told == {
        "2026-06-01": ("sensor.kettle_energy", pytest.approx(2.0)),
        "2026-06-04": ("sensor.kettle_energy", pytest.approx(5.0)),
    }


def test_power_counts_before_there_was_a_meter(home: ViewHome) -> None:
    home.put(kettle(home), (berlin(1), 1000.0), (berlin(1, 3), 0.0))
    home.put(kettle_energy(home), (berlin(2, 1), 0.0), (berlin(2, 2), 4.0))
    home.refresh(berlin(3))
    told = {row["date"]: (row["entity_id"], row["total_kwh"]) for row in home.rows(DEVICES)}
    assert told["2026-06-01"] == ("sensor.kettle_power", pytest.approx(3.0))
    assert told["2026-06-02"] == ("sensor.kettle_energy", pytest.approx(4.0))


def test_meters_of_a_day_or_month_do_not_count_twice(home: ViewHome) -> None:
    for name in ("sensor.plug_energy_total", "sensor.plug_energy_today", "sensor.plug_energy_month"):
        meter = home.entity(name, Kind.METER, "kWh", device_id="plug")
        home.put(meter, (berlin(1), 1.0), (berlin(1, 1), 2.0))
    home.refresh(berlin(1, 3))
    assert home.row(DEVICES)["entity_id"] == "sensor.plug_energy_total"


def test_registers_of_day_and_night_are_both_counted(home: ViewHome) -> None:
    """They are names of tariffs, and not of the time a meter counts for."""
    for name in ("energy_day_tariff", "energy_night_tariff", "heat_day", "heat_night", "daily_energy", "plug_daily"):
        meter = home.entity(f"sensor.{name}", Kind.METER, "kWh", device_id="meter")
        home.put(meter, (berlin(1), 1.0), (berlin(1, 1), 2.0))
    home.refresh(berlin(1, 3))
    assert {row["entity_id"] for row in home.rows(DEVICES)} == {
        "sensor.energy_day_tariff",
        "sensor.energy_night_tariff",
        "sensor.heat_day",
        "sensor.heat_night",
    }


def test_phases_are_not_counted_beside_their_sum(home: ViewHome) -> None:
    for name in ("em_phase_a_power", "em_phase_b_power", "em_total_active_power", "pump_l1_power", "pump_l2_power"):
        power = home.entity(f"sensor.{name}", unit="W", device_id="em" if name.startswith("em") else "pump")
        home.put(power, (berlin(1), 1000.0), (berlin(1, 2), None))
    home.refresh(berlin(1, 3))
    assert {row["entity_id"] for row in home.rows(DEVICES)} == {
        "sensor.em_total_active_power",
        "sensor.pump_l1_power",
        "sensor.pump_l2_power",
    }


def test_limits_and_ratings_use_nothing(home: ViewHome) -> None:
    home.put(home.entity("number.charge_limit", unit="kW"), (berlin(1), 11.0))
    home.put(home.entity("sensor.rated_power", unit="W", device_class="apparent_power"), (berlin(1), 5000.0))
    home.put(home.entity("number.spent", Kind.METER, "kWh"), (berlin(1), 1.0), (berlin(1, 1), 9.0))
    home.refresh(berlin(1, 3))
    assert home.rows(DEVICES) == []
    assert home.rows("hourly_energy_cost") == []


def test_outlets_of_one_strip_count_each_with_their_own_power(home: ViewHome) -> None:
    for number, watts in ((1, 50.0), (2, 80.0)):
        meter = home.entity(f"sensor.strip_outlet_{number}_energy", Kind.METER, "kWh", device_id="strip")
        power = home.entity(f"sensor.strip_outlet_{number}_power", unit="W", device_id="strip")
        home.put(meter, (berlin(1), 0.0), (berlin(1, 1), float(number)))
        home.put(power, (berlin(1), watts), (berlin(1, 2), None))
    home.refresh(berlin(1, 3))
    assert [(row["total_kwh"], row["peak_power"]) for row in home.rows(DEVICES)] == [(1.0, 50.0), (2.0, 80.0)]


def test_days_of_23_and_25_hours_are_whole(home: ViewHome) -> None:
    home.now = berlin(28, month=3)
    load = kettle(home)
    home.put(load, (berlin(28, month=3), 1000.0), (berlin(30, month=3), None))
    home.refresh(berlin(31, month=3))
    assert [(row["date"], row["total_kwh"]) for row in home.rows(DEVICES)] == [
        ("2026-03-28", pytest.approx(24.0)),
        ("2026-03-29", pytest.approx(23.0)),
    ]
    hours = home.rows("hourly_energy_cost", **on(29, month=3))
    assert [row["hour"] for row in hours] == [0, 1, *range(3, 24)]
    home.now = berlin(24, month=10)
    home.put(load, (berlin(25, month=10), 1000.0), (berlin(26, month=10), None))
    home.refresh(berlin(27, month=10))
    assert home.row(DEVICES, **on(25, month=10))["total_kwh"] == pytest.approx(25.0)
    hours = home.rows("hourly_energy_cost", **on(25, month=10))
    assert [row["hour"] for row in hours] == [0, 1, 2, 2, *range(3, 24)]
    assert len({row["start"] for row in hours}) == 25


def test_a_corrected_price_is_paid_again(home: ViewHome) -> None:
    price = home.price()
    home.put(kettle(home), (berlin(1), 1000.0), (berlin(1, 4), None))
    home.put(price, (berlin(1), 0.30), (berlin(2), None))
    home.refresh(berlin(2, 2))
    assert home.row(DEVICES)["cost"] == pytest.approx(1.20)
    home.put(price, (berlin(1), 0.20), (berlin(1, 2), 0.50))
    assert home.refresh()
    assert home.row(DEVICES)["cost"] == pytest.approx(2 * 0.20 + 2 * 0.50)
    assert home.row("daily_energy_cost")["avg_price"] == pytest.approx(0.35)
    assert home.refresh() == 0


def test_late_rows_are_worked_out_again_and_other_days_are_not(home: ViewHome) -> None:
    load = kettle(home)
    home.put(load, (berlin(1), 100.0), (berlin(4), None))
    home.refresh(berlin(4, 1))
    home.put(load, (berlin(2, 6), 700.0), (berlin(2, 8), 100.0))
    # No value follows, so hours are rolled up again from the 2nd to the present, and no day before.
    assert home.refresh() == 3
    assert home.row(DEVICES, **on(2))["total_kwh"] == pytest.approx(22 * 0.1 + 2 * 0.7)


def test_another_source_of_prices_has_everything_paid_again(home: ViewHome) -> None:
    home.put(kettle(home), (berlin(1), 1000.0), (berlin(2), None))
    first, second = home.price(), home.price("CHF/kWh", provider="other", currency="CHF")
    home.put(first, (berlin(1), 0.30), (berlin(1, 12), None))
    home.put(second, (berlin(1), 0.20), (berlin(2), None))
    home.refresh(berlin(2, 1))
    # Neither is named: the older series counts where it is known, and 12 kWh were paid in each currency.
    row = home.row(DEVICES)
    assert (row["cost"], row["currency"], row["cost_kwh"]) == (pytest.approx(3.6), "EUR", pytest.approx(12.0))
    assert home.refresh(inputs=Inputs(prices=(second.key,)))
    row = home.row(DEVICES)
    assert (row["cost"], row["currency"], row["cost_kwh"]) == (pytest.approx(4.8), "CHF", pytest.approx(24.0))
    # It is remembered.
    assert home.refresh() == 0


def test_the_grids_meter_is_the_home_and_production_costs_nothing(home: ViewHome) -> None:
    for name, kwh in (("sensor.grid_energy", 10.0), ("sensor.washer_energy", 2.0), ("sensor.solar_energy", 7.0)):
        home.put(home.entity(name, Kind.METER, "kWh"), (berlin(1), 0.0), (berlin(1, 12), kwh))
    home.put(home.price(), (berlin(1), 0.25), (berlin(2), None))
    home.refresh(berlin(2), Inputs(grid=frozenset({"sensor.grid_energy"}), apart=frozenset({"sensor.solar_energy"})))
    day = home.row("daily_energy_cost")
    assert (day["total_kwh"], day["cost"], day["basis"]) == (10.0, pytest.approx(2.5), "grid")
    costs = {row["entity_id"]: row["cost"] for row in home.rows(DEVICES)}
    assert costs["sensor.solar_energy"] is None
    assert costs["sensor.washer_energy"] == pytest.approx(0.5)
    home.refresh(inputs=Inputs(apart=frozenset({"sensor.solar_energy"})))
    assert home.row("daily_energy_cost") | {"total_kwh": 12.0, "basis": "devices"} == home.row("daily_energy_cost")


def test_energy_by_room_and_hour(home: ViewHome) -> None:
    home.put(kettle(home, area_id="kitchen"), (berlin(1), 1000.0), (berlin(1, 1), None))
    home.put(home.entity("sensor.oven_power", unit="W", area_id="kitchen"), (berlin(1), 500.0), (berlin(1, 2), None))
    home.put(home.entity("sensor.lamp_power", unit="W"), (berlin(1), 10.0), (berlin(1, 1), None))
    home.refresh(berlin(1, 3))
    rows = home.rows("hourly_energy_summary")
    assert [(row["hour"], row["area"], row["devices"]) for row in rows] == [
        (0, "", 1),
        (0, "kitchen", 2),
        (1, "kitchen", 1),
    ]
    assert [row["total_kwh"] for row in rows] == [pytest.approx(v) for v in (0.01, 1.5, 0.5)]
    assert [row["avg_power"] for row in rows] == [pytest.approx(v) for v in (10.0, 1500.0, 500.0)]
    assert home.rows("hourly_energy_summary", areas=["kitchen"]) == rows[1:]


def motion(home: ViewHome, name: str = "hall", area: str = "hall") -> Series:
    return home.entity(f"binary_sensor.{name}_motion", Kind.ON_OFF, device_class="motion", area_id=area)


def test_motion_is_counted_by_room_and_hour(home: ViewHome) -> None:
    home.put(
        motion(home),
        (berlin(1), 0.0),
        (berlin(1, 7, 10), 1.0),
        (berlin(1, 7, 25), 0.0),
        (berlin(1, 7, 50), 1.0),
        (berlin(1, 8, 30), 0.0),
        (berlin(1, 10), None),
    )
    second = home.entity("binary_sensor.hall_radar", Kind.ON_OFF, device_class="occupancy", area_id="hall")
    home.put(second, (berlin(1, 8), 0.0), (berlin(1, 8, 15), 1.0), (berlin(1, 9), 0.0), (berlin(1, 10), None))
    home.refresh(berlin(1, 11))
    told = {row["hour"]: (row["motion_count"], row["occupancy_rate"]) for row in home.rows("hourly_room_activity")}
    assert told[6] == (0, 0.0)
    assert told[7] == (2, pytest.approx(25 / 60))
    # The radar saw somebody for 45 minutes, the motion sensor for 30.
    assert told[8] == (1, pytest.approx(0.75))
    assert told[9] == (0, 0.0)
    assert 10 not in told
    assert {row["day_of_week"] for row in home.rows("hourly_room_activity")} == {0}
    day = home.row("daily_room_occupancy")
    assert (day["area"], day["motion_count"], day["busiest_hour"]) == ("hall", 3, 8)
    assert day["occupied_seconds"] == pytest.approx((25 + 45) * 60)
    assert day["occupancy_rate"] == pytest.approx(70 / 600)


def test_a_sensor_that_moves_leaves_its_history_behind(home: ViewHome) -> None:
    sensor = motion(home, area="hall")
    home.put(sensor, (berlin(1), 0.0), (berlin(1, 6), 1.0), (berlin(1, 7), 0.0))
    home.refresh(berlin(1, 12))
    motion(home, area="attic")
    home.put(sensor, (berlin(1, 14), 1.0), (berlin(1, 15), 0.0))
    home.refresh(berlin(1, 20))
    # A late row has the morning worked out again: it stays in the hall.
    home.put(sensor, (berlin(1, 9), 1.0), (berlin(1, 9, 30), 0.0))
    home.refresh(berlin(1, 21))
    used = [(row["hour"], row["area"]) for row in home.rows("hourly_room_activity") if row["motion_count"]]
    assert used == [(6, "hall"), (9, "hall"), (14, "hall")]
    home.put(sensor, (berlin(1, 22), 1.0), (berlin(1, 22, 30), 0.0))
    home.refresh(berlin(2))
    assert [row["hour"] for row in home.rows("hourly_room_activity", areas=["attic"]) if row["motion_count"]] == [22]


def test_the_ordinary_week_is_the_mean_of_the_weeks_that_are_over(home: ViewHome) -> None:
    sensor = motion(home)
    # Mondays, 1 and 8 June: two visits at seven on the first, none on the second.
    home.put(sensor, (berlin(1, 7), 1.0), (berlin(1, 7, 10), 0.0), (berlin(1, 7, 20), 1.0), (berlin(1, 7, 30), 0.0))
    home.put(sensor, (berlin(1, 8), None), (berlin(8, 7), 0.0), (berlin(8, 8), None))
    home.refresh(berlin(9, 1))
    [row] = home.rows("weekday_room_activity")
    assert row == {
        "area": "hall",
        "day_of_week": 0,
        "hour": 7,
        "motion_count": 0.5,
        "occupancy_rate": pytest.approx((20 / 60 + 0) / 2),
        "hours": 2,
    }


def test_the_grids_day(home: ViewHome) -> None:
    home.put(home.carbon(), (berlin(1), 300.0), (berlin(1, 6), 100.0), (berlin(1, 12), None))
    home.put(home.carbon("renewable_percentage", "%"), (berlin(1), 40.0), (berlin(1, 3), 80.0), (berlin(1, 12), None))
    home.refresh(berlin(2))
    assert home.row("daily_carbon_summary") == {
        "date": "2026-06-01",
        "avg_carbon": pytest.approx(200.0),
        "min_carbon": 100.0,
        "max_carbon": 300.0,
        "avg_renewable": pytest.approx(70.0),
        "covered_seconds": 12 * 3600.0,
    }


def test_how_long_a_device_was_on(home: ViewHome) -> None:
    lamp = home.entity("light.desk", Kind.ON_OFF)
    home.put(lamp, (berlin(1), 0.0), (berlin(1, 18), 1.0), (berlin(2, 1), 0.0), (berlin(3), None))
    home.refresh(berlin(3, 1))
    rows = home.rows("daily_device_runtime", entities=["light.desk"])
    assert [(row["state_changes"], row["on_seconds"]) for row in rows] == [(1, 6 * 3600.0), (1, 3600.0)]


def test_a_renamed_entity_keeps_its_days_and_a_removed_one_keeps_its_name(home: ViewHome) -> None:
    home.put(kettle(home), (berlin(1), 100.0), (berlin(2), None))
    home.refresh(berlin(2, 1))
    series = kettle(home)
    home.store.series(series.key, kind=series.kind, unit="W", labels=series.labels | {"entity_id": "sensor.new_name"})
    home.store.save_series()
    assert home.row(DEVICES, entities=["sensor.new_name"])["total_kwh"] == pytest.approx(2.4)
    assert home.rows(DEVICES, entities=["sensor.kettle_power"]) == []
    home.refresh(berlin(20))
    assert home.row(DEVICES)["entity_id"] == "sensor.new_name"


def test_rows_of_an_earlier_registry_id_are_told_under_the_name_of_today(home: ViewHome) -> None:
    before = home.entity("sensor.heater", unit="W")
    home.put(before, (berlin(1), 1000.0), (berlin(2), None))
    now = home.entity("sensor.radiator", unit="W")
    home.put(now, (berlin(2), 500.0), (berlin(3), None))
    other = home.entity("sensor.fan", unit="W")
    home.put(other, (berlin(1), 10.0), (berlin(3), None))
    home.refresh(berlin(3))
    home.store.transact(
        lambda connection: connection.execute(
            "INSERT INTO archive_alias VALUES (?, ?, ?, ?, ?, ?)",
            (*_key(before), "sensor.heater", now.key.identity, now.key.field),
        )
    )
    rows = home.rows("daily_energy_by_device", entities=["sensor.radiator"])
    assert [(row["entity_id"], row["date"], row["total_kwh"]) for row in rows] == [
        ("sensor.radiator", "2026-06-01", pytest.approx(24.0)),
        ("sensor.radiator", "2026-06-02", pytest.approx(12.0)),
    ]
    assert home.rows("daily_energy_by_device", entities=["sensor.heater"]) == []
    names = [row["entity_id"] for row in home.rows("daily_energy_by_device")]
    assert sorted(names) == ["sensor.fan", "sensor.fan", "sensor.radiator", "sensor.radiator"]


def _key(series: Series) -> tuple[str, str, str]:
    return series.key.measurement, series.key.identity, series.key.field


def test_days_whose_hours_are_gone_keep_their_rows(home: ViewHome) -> None:
    load = kettle(home)
    home.put(load, (berlin(1), 100.0), (berlin(4), None))
    home.store.roll_up(berlin(5))
    # Nobody has refreshed the views: handing hours down does, before they go.
    home.now = berlin(30, month=12)
    home.store.roll_up()
    home.store.downsample(RAW)
    report = home.store.downsample(HOURLY)
    assert report.source_rows
    with home.store.reader() as reader:
        assert not len(reader.tier(HOURLY, load.id or 0, load.kind, TimeRange(0, berlin(4))))
    rows = home.rows(DEVICES)
    assert [row["total_kwh"] for row in rows] == [pytest.approx(2.4)] * 3
    home.store.recompute_views(TimeRange(berlin(1), berlin(4)))
    home.refresh()
    assert home.rows(DEVICES) == rows


def test_old_rows_go(home: ViewHome) -> None:
    home.put(kettle(home), (berlin(1), 100.0), (berlin(2), None))
    home.refresh(berlin(2, 1))
    assert home.rows("hourly_energy_summary")
    home.store.recompute_views(TimeRange(berlin(1, month=9), berlin(1, 1, month=9)))
    home.refresh(berlin(10, month=9))
    assert home.rows("hourly_energy_summary") == []
    assert len(home.rows(DEVICES)) == 1


def test_limits_and_pages(home: ViewHome) -> None:
    home.put(kettle(home), (berlin(1), 100.0), (berlin(6), None))
    home.refresh(berlin(7))
    with home.store.reader() as reader:
        views = MaterializedViews(reader)
        first = views.query(DEVICES, limit=3)
        rest = views.query(DEVICES, limit=3, offset=3)
        assert (len(first.rows), first.more, len(rest.rows), rest.more) == (3, True, 2, False)
        assert first.units["avg_power"] == "W"
        assert len(views.query(DEVICES, start=date(2026, 6, 2), end=date(2026, 6, 4)).rows) == 2
        assert views.query(DEVICES, entities=[]).rows == ()
        with pytest.raises(KeyError):
            views.query("nothing")
        with pytest.raises(ValueError, match="has no area"):
            views.query(DEVICES, areas=["kitchen"])
        with pytest.raises(ValueError, match="has no date"):
            views.query("weekday_room_activity", start=date(2026, 6, 2))
        assert DEVICES in views.names


def test_units_that_are_no_energy_price_or_carbon_are_passed_over(home: ViewHome) -> None:
    home.put(kettle(home), (berlin(1), 1000.0), (berlin(1, 1), None))
    home.put(home.price("EUR/m³"), (berlin(1), 0.3))
    home.put(home.carbon(unit="%"), (berlin(1), 50.0))
    home.put(home.entity("sensor.water", Kind.METER, "L"), (berlin(1), 1.0), (berlin(1, 0, 30), 5.0))
    home.put(home.entity("sensor.temperature", unit="°C"), (berlin(1), 20.0))
    home.refresh(berlin(1, 2))
    row = home.row(DEVICES)
    assert (row["cost"], row["carbon_kg"]) == (None, None)
    assert home.rows("daily_carbon_summary") == []


def test_a_new_file_after_a_damaged_one_begins_anew(home: ViewHome) -> None:
    home.put(kettle(home), (berlin(1), 1000.0), (berlin(2), None))
    home.refresh(berlin(2, 1))
    # As if the feed were that of another file: shorter than the place kept in it.
    home.store.save_cursor("views", Cursor(10**9, 0))
    assert home.refresh() >= 1


def test_inputs_survive_being_kept() -> None:
    key = SeriesKey.of_tags("electricity_pricing", {"currency": "EUR"}, "current_price")
    inputs = Inputs(prices=(key,), grid=frozenset({"sensor.a"}), apart=frozenset({"sensor.b"}))
    assert Inputs.from_json(json.loads(json.dumps(inputs.as_json()))) == inputs
    assert Inputs.from_json(None) == Inputs()
