"""Archived days into long-term statistics: which statistic, which rows, which sums; numbers worked out by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.components.recorder.models import StatisticMeanType
from homeassistant.components.recorder.statistics import async_import_statistics, statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
import numpy as np
import pytest

from custom_components.strata.archive.restore import RestoreReport
from custom_components.strata.archive_statistics import ImportReport, StatisticsImport
from custom_components.strata.core.model import Kind, Series, SeriesKey, TimeRange, to_micros
from custom_components.strata.core.rollup import Rollup, rollup
from custom_components.strata.core.state_time import NO_STATES
from custom_components.strata.store.tiers import DAY, HOUR

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
START = to_micros(FIRST)
EVER = TimeRange(0, 2**52)
nan = float("nan")


class Told:
    """Gives the days it was made of, as the archive would."""

    def __init__(self, *parts: tuple[Series, Rollup]) -> None:
        self.parts = parts
        self.report = RestoreReport()

    def days(self, when: TimeRange, entities: Any = None) -> Iterator[tuple[Series, Rollup]]:
        for series, days in self.parts:
            yield series, days.select((days.starts >= when.start) & (days.starts < when.end))


def series(entity_id: str | None, kind: Kind, unit: str | None = None, field: str = "value") -> Series:
    if entity_id is None:
        return Series(SeriesKey.of_tags("electricity_pricing", {"region": "DE"}, field), kind, unit)
    labels = {"entity_id": entity_id, "friendly_name": "Flat"}
    return Series(SeriesKey.of_entity("home_assistant_events", entity_id, field), kind, unit, labels)


def meter(*growth: tuple[float, float]) -> Rollup:
    """Return days of a meter: what it grew by and its last reading on each."""
    count = len(growth)
    starts = START + np.arange(count) * DAY
    columns = {
        "n": np.ones(count, np.int64),
        "covered": np.full(count, DAY),
        "increase": np.array([grown for grown, _ in growth]),
        "resets": np.zeros(count, np.int64),
        "first": np.array([last - grown for grown, last in growth]),
        "last": np.array([last for _, last in growth]),
    }
    return Rollup(Kind.METER, starts, starts + DAY, columns, NO_STATES)


def levels(kind: Kind, *values: float) -> Rollup:
    """Return days with a value each that held all day; NaN for a day that nothing is known of."""
    times = [START + at * DAY for at in range(len(values))]
    return rollup(times, values, [*times, times[-1] + DAY], kind=kind)


async def imported(
    hass: HomeAssistant, *parts: tuple[Series, Rollup], own: bool, when: TimeRange = EVER
) -> ImportReport:
    work = StatisticsImport(hass, Told(*parts), own=own)  # type: ignore[arg-type] - tells days like one
    await hass.async_add_executor_job(get_instance(hass).block_till_done)
    report = await hass.async_add_executor_job(work.run, when, None)
    await hass.async_add_executor_job(get_instance(hass).block_till_done)
    return report


async def rows(hass: HomeAssistant, name: str, unit_class: dict[str, str] | None = None) -> list[dict[str, Any]]:
    await hass.async_add_executor_job(get_instance(hass).block_till_done)
    found = await get_instance(hass).async_add_executor_job(
        statistics_during_period, hass, FIRST - timedelta(days=9), None, {name}, "hour", unit_class,
        {"mean", "min", "max", "sum", "state"},
    )  # fmt: skip
    return found.get(name, [])


def recorded(hass: HomeAssistant, name: str, unit: str | None, *own: dict[str, Any], has_sum: bool = True) -> None:
    """Let the recorder have rows of its own."""
    metadata = {
        "has_sum": has_sum,
        "mean_type": StatisticMeanType.NONE if has_sum else StatisticMeanType.ARITHMETIC,
        "name": None,
        "source": "recorder",
        "statistic_id": name,
        "unit_class": "energy" if unit in {"Wh", "kWh"} else None,
        "unit_of_measurement": unit,
    }
    async_import_statistics(hass, metadata, own)  # type: ignore[arg-type] - what the recorder takes


pytestmark = pytest.mark.usefixtures("recorder_mock")


async def test_each_kind_has_the_rows_it_can_have(hass: HomeAssistant) -> None:
    report = await imported(
        hass,
        (series("sensor.power", Kind.MEASUREMENT, "W"), levels(Kind.MEASUREMENT, 100.0, nan, 300.0)),
        (series("switch.pump", Kind.ON_OFF), levels(Kind.ON_OFF, 1.0, 0.0)),
        (series("climate.flat", Kind.TEXT, field="state"), levels(Kind.TEXT, 1.0)),
        (series("sensor.gas", Kind.METER, "m³"), meter((2.0, 12.0), (3.0, nan))),
        (series(None, Kind.MEASUREMENT, "EUR/kWh", "price"), levels(Kind.MEASUREMENT, 0.25)),
        own=False,
    )
    assert report.problems == []
    assert report.statistics == {
        "strata:sensor_power": 2,
        "strata:switch_pump": 2,
        "strata:sensor_gas": 2,
        "strata:electricity_pricing_price_de": 1,
    }
    power = await rows(hass, "strata:sensor_power")
    assert [(row["start"], row["mean"], row["min"], row["max"]) for row in power] == [
        (FIRST.timestamp(), 100.0, 100.0, 100.0),
        ((FIRST + timedelta(days=2)).timestamp(), 300.0, 300.0, 300.0),
    ]
    pump = await rows(hass, "strata:switch_pump")
    assert [(row["mean"], row["min"]) for row in pump] == [(1.0, None), (0.0, None)]
    gas = await rows(hass, "strata:sensor_gas")
    assert [(row["sum"], row["state"]) for row in gas] == [(2.0, 12.0), (5.0, None)]


async def test_a_series_that_has_changed_its_kind_stays_with_the_one_it_had_first(hass: HomeAssistant) -> None:
    one = series("sensor.x", Kind.MEASUREMENT, "kWh")
    later = meter((1.0, 1.0))
    report = await imported(hass, (one, levels(Kind.MEASUREMENT, 5.0)), (one, later), own=False)
    assert report.statistics == {"strata:sensor_x": 1}


async def test_an_entity_without_statistics_gets_them_and_only_from_its_values(hass: HomeAssistant) -> None:
    report = await imported(
        hass,
        (series("sensor.energy", Kind.METER, "kWh"), meter((1.0, 11.0), (2.0, 13.0))),
        (series("sensor.energy", Kind.MEASUREMENT, "W", "value[W]"), levels(Kind.MEASUREMENT, 5.0)),
        (series(None, Kind.MEASUREMENT, "EUR/kWh", "price"), levels(Kind.MEASUREMENT, 0.25)),
        own=True,
    )
    assert report.statistics == {"sensor.energy": 2}
    # Nothing of the recorder's to join: the sum ends at 0, so what it will record goes on from there.
    assert [row["sum"] for row in await rows(hass, "sensor.energy")] == [-2.0, 0.0]


HERE = FIRST + timedelta(days=2)
"""When the recorder's own rows begin: after two archived days that end at a reading of 13 kWh."""


@pytest.mark.parametrize(
    ("unit", "first", "sums"),
    [
        # It read 13 at the end of the last archived day and 14 in the recorder's first row, whose sum was 50.
        ("kWh", {"sum": 50.0, "state": 14.0}, [47.0, 49.0]),
        # The same in Wh: 13,000 before, 14,000 and 50,000 in the first row.
        ("Wh", {"sum": 50_000.0, "state": 14_000.0}, [47_000.0, 49_000.0]),
        # It shows less than before, so it began again and grew by what it shows.
        ("kWh", {"sum": 50.0, "state": 4.0}, [44.0, 46.0]),
        # Nobody knows what it showed: it goes on from the sum there is.
        ("kWh", {"sum": 50.0, "state": None}, [48.0, 50.0]),
        # And without a sum either, from 0.
        ("kWh", {"sum": None, "state": 14.0}, [-2.0, 0.0]),
    ],
)
async def test_sums_are_joined_by_what_the_meter_showed(
    hass: HomeAssistant, unit: str, first: dict[str, float | None], sums: list[float]
) -> None:
    recorded(hass, "sensor.energy", unit, {"start": HERE, **first})
    report = await imported(
        hass, (series("sensor.energy", Kind.METER, "kWh"), meter((1.0, 11.0), (2.0, 13.0), (9.0, 22.0))), own=True
    )
    assert report.problems == []
    assert report.statistics == {"sensor.energy": 2}, "of the third day the recorder tells itself"
    found = await rows(hass, "sensor.energy", {"energy": unit})
    assert [row["sum"] for row in found[:2]] == pytest.approx(sums)
    assert found[2]["sum"] == first["sum"]


async def test_what_is_of_another_kind_or_unit_is_named_and_left_out(hass: HomeAssistant) -> None:
    recorded(hass, "sensor.energy", "W", {"start": HERE, "mean": 3.0}, has_sum=False)
    recorded(hass, "sensor.gas", "m³", {"start": HERE, "sum": 3.0})
    report = await imported(
        hass,
        (series("sensor.energy", Kind.METER, "kWh"), meter((1.0, 11.0))),
        (series("sensor.gas", Kind.METER, "kWh"), meter((1.0, 11.0))),
        own=True,
    )
    assert report.statistics == {}
    assert [problem.partition(":")[0] for problem in report.problems] == ["sensor.energy", "sensor.gas"]


async def test_a_statistic_that_is_known_and_has_no_rows_takes_all(hass: HomeAssistant) -> None:
    recorded(hass, "sensor.energy", "kWh", {"start": HERE, "sum": 1.0, "state": 1.0})
    await hass.async_add_executor_job(get_instance(hass).block_till_done)
    from homeassistant.components.recorder.db_schema import Statistics
    from homeassistant.helpers.recorder import session_scope

    def forget_rows() -> None:
        with session_scope(hass=hass) as session:
            session.query(Statistics).delete()

    await get_instance(hass).async_add_executor_job(forget_rows)
    report = await imported(
        hass, (series("sensor.energy", Kind.METER, "kWh"), meter((1.0, 11.0), (2.0, 13.0), (3.0, 16.0))), own=True
    )
    assert report.statistics == {"sensor.energy": 3}
    assert [row["sum"] for row in await rows(hass, "sensor.energy")] == [-5.0, -3.0, 0.0]


async def test_a_part_fits_into_the_whole(hass: HomeAssistant) -> None:
    part = (series("sensor.energy", Kind.METER, "kWh"), meter((1.0, 11.0), (2.0, 13.0), (3.0, 16.0)))
    await imported(hass, part, own=False, when=TimeRange(START + DAY, START + 2 * DAY))
    assert [row["sum"] for row in await rows(hass, "strata:sensor_energy")] == [3.0]
    await imported(hass, part, own=False)
    assert [row["sum"] for row in await rows(hass, "strata:sensor_energy")] == [1.0, 3.0, 6.0]


async def test_hours_are_a_statistic_of_their_own(hass: HomeAssistant) -> None:
    one = series("sensor.power", Kind.MEASUREMENT, "W")
    hours = rollup([START, START + HOUR], [10.0, 20.0], [START, START + HOUR, START + 2 * HOUR], kind=Kind.MEASUREMENT)
    work = StatisticsImport(hass, Told(), own=False, hours=Told((one, hours)).days)  # type: ignore[arg-type] - like one
    report = await hass.async_add_executor_job(work.run, EVER, None)
    assert report.statistics == {"strata:hours_of_sensor_power": 2}
    assert [row["mean"] for row in await rows(hass, "strata:hours_of_sensor_power")] == [10.0, 20.0]
