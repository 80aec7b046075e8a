"""Windows by price, carbon and own solar power: what is weighed how, and what is said about it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
import random

import pytest

from custom_components.strata.core.model import Forecast, Slot
from custom_components.strata.core.objective import NothingKnown, Plan, Wish, plans
from custom_components.strata.core.outlook import Aim, Outlook
from custom_components.strata.core.window import Phase

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def forecast(unit: str, *values: float, length: timedelta = HOUR, start: datetime = NOON) -> Forecast:
    slots = tuple(Slot(start + at * length, start + (at + 1) * length, value) for at, value in enumerate(values))
    return Forecast(unit, NOON, slots)


def prices(*values: float, **more: timedelta) -> Forecast:
    return forecast("EUR/kWh", *values, **more)


def carbon(*values: float, **more: timedelta) -> Forecast:
    return forecast("gCO2eq/kWh", *values, **more)


def wish(hours: float = 1, watts: float = 1000, **more: object) -> Wish:
    given = {
        "profile": (Phase(hours * HOUR, watts),),
        "weights": {Aim.PRICE: 1.0},
        "earliest": NOON,
        **more,
    }
    return Wish(**given)


def begins(plan: Plan) -> float:
    return (plan.window.start - NOON) / HOUR


def test_cost_carbon_and_saving_are_those_of_the_load() -> None:
    outlook = Outlook(price=prices(0.4, 0.3, 0.1, 0.2), carbon=carbon(500, 400, 300, 200))
    (plan,) = plans(outlook, wish(hours=2, watts=1500), NOON)
    assert begins(plan) == 2
    assert plan.currency == "EUR"
    # 3 kWh: 1.5 kWh at 0.1 and 0.2, at 300 and 200 g.
    assert plan.totals == pytest.approx((3.0, 0.45, 0.75, None))
    # Now: 1.5 kWh at 0.4 and 0.3, at 500 and 400 g.
    assert plan.now == pytest.approx((3.0, 1.05, 1.35, None))


def test_each_aim_is_weighed_on_its_own_scale() -> None:
    # Price says hour 0, carbon says hour 3, and hour 2 is a fair answer to both.
    outlook = Outlook(price=prices(0.0, 0.4, 0.1, 0.4), carbon=carbon(400, 300, 120, 100))

    def chosen(price: float, of_carbon: float) -> Plan:
        return plans(outlook, wish(weights={Aim.PRICE: price, Aim.CARBON: of_carbon}), NOON)[0]

    assert [begins(chosen(*weights)) for weights in ((1, 0), (0, 1), (1, 1), (9, 1))] == [0, 3, 2, 0]
    plan = chosen(1, 1)
    # By hand: price 0.1 of 0..0.4 is 0.25; carbon 120 of 100..400 is 1/15; the mean of both.
    terms = {term.aim: term for term in plan.terms}
    assert (terms[Aim.PRICE].mean, terms[Aim.PRICE].best, terms[Aim.PRICE].worst) == (0.1, 0.0, 0.4)
    assert terms[Aim.PRICE].score == pytest.approx(0.25)
    assert terms[Aim.CARBON].score == pytest.approx(1 / 15)
    assert plan.window.value == pytest.approx((0.25 + 1 / 15) / 2)


def test_forecasts_of_different_grids_are_merged() -> None:
    outlook = Outlook(
        price=prices(*[0.3, 0.1, 0.1, 0.3, 0.3, 0.3, 0.1, 0.1], length=timedelta(minutes=15)),
        carbon=carbon(300, 100, 100, 400, length=timedelta(minutes=30)),
    )
    both = {Aim.PRICE: 1.0, Aim.CARBON: 1.0}
    (plan,) = plans(outlook, wish(hours=0.5, weights=both), NOON)
    # Half an hour over a price of 0.1 from 12:15 to 12:45; the carbon is that of both half-hours.
    assert plan.window.start == NOON + timedelta(minutes=15)
    assert plan.totals == pytest.approx((0.5, 0.05, 0.1, None))


def test_only_moments_count_that_every_aim_knows() -> None:
    outlook = Outlook(price=prices(5, 4, 3, 2, 1), carbon=carbon(1, 1, 1))
    (both,) = plans(outlook, wish(weights={Aim.PRICE: 1.0, Aim.CARBON: 1.0}), NOON)
    assert begins(both) == 2
    (plan,) = plans(outlook, wish(), NOON)
    # Beyond the carbon forecast the window is good by price, and its carbon is not known.
    assert (begins(plan), plan.totals.carbon_kg) == (4, None)


def test_own_power_costs_what_selling_it_would_bring() -> None:
    # At 13:00 the roof gives 2000 W, of which the home takes 500.
    outlook = Outlook(
        price=prices(0.2, 0.3, 0.3), solar=forecast("W", 0, 2000, 1000), export_price=0.08, house_watts=500
    )
    (plan,) = plans(outlook, wish(watts=3000), NOON)
    # Half of 3 kWh is own power: 1.5 kWh * 0.3 + 1.5 kWh * 0.08 = 0.57, less than 3 * 0.2 at noon.
    assert begins(plan) == 1
    assert plan.totals == pytest.approx((3.0, 0.57, None, 1.5))
    assert plan.now == pytest.approx((3.0, 0.6, None, 0.0))
    # A small load is wholly own power: it costs only what is not sold.
    (small,) = plans(outlook, wish(watts=1000), NOON)
    assert small.totals == pytest.approx((1.0, 0.08, None, 1.0))


def test_solar_alone_is_an_aim() -> None:
    outlook = Outlook(solar=forecast("W", 0, 300, 1200, 900))
    (plan,) = plans(outlook, wish(watts=1200, weights={Aim.SOLAR: 1.0}), NOON)
    assert (begins(plan), plan.totals.solar_kwh, plan.totals.cost) == (2, pytest.approx(1.2), None)
    assert plan.terms[0].mean == pytest.approx(0)


def test_the_night_between_two_days_of_sun_is_dark() -> None:
    sun = (Slot(NOON, NOON + HOUR, 900.0), Slot(NOON + 20 * HOUR, NOON + 21 * HOUR, 2000.0))
    outlook = Outlook(solar=Forecast("W", NOON, sun))
    (plan,) = plans(outlook, wish(hours=2, weights={Aim.SOLAR: 1.0}, latest=NOON + 4 * HOUR), NOON)
    assert (begins(plan), plan.totals.solar_kwh) == (0, pytest.approx(0.9))
    # After the last slot nothing is known.
    assert plans(outlook, wish(weights={Aim.SOLAR: 1.0}, earliest=NOON + 21 * HOUR), NOON) == []


def test_carbon_counts_only_what_is_bought() -> None:
    outlook = Outlook(carbon=carbon(400, 500), solar=forecast("W", 0, 500))
    (plan,) = plans(outlook, wish(weights={Aim.CARBON: 1.0}), NOON)
    assert (begins(plan), plan.totals.carbon_kg) == (1, pytest.approx(0.25))


def test_a_profile_meets_the_sun_by_its_power() -> None:
    # 2000 W for an hour, then 200 W for an hour; 1000 W of sun from 13:00 on.
    outlook = Outlook(price=prices(0.3, 0.3, 0.3, 0.3), solar=forecast("W", 0, 1000, 1000, 0))
    profile = (Phase(HOUR, 2000), Phase(HOUR, 0), Phase(HOUR, 200))
    (plan,) = plans(outlook, wish(profile=profile), NOON)
    # Heating at 13:00: 1 kWh bought, and 0.2 in the dark; at 12:00 it would be 2 kWh bought.
    assert begins(plan) == 1
    assert plan.totals == pytest.approx((2.2, 1.2 * 0.3, None, 1.0))


def test_loose_windows_and_the_worst() -> None:
    outlook = Outlook(price=prices(0.4, 0.1, 0.3, 0.1, 0.5))
    (plan,) = plans(outlook, wish(hours=2, contiguous=False, watts=500), NOON)
    assert [(begin - NOON) / HOUR for begin, _ in plan.window.parts] == [1, 3]
    assert plan.totals.cost == pytest.approx(0.1)
    assert plan.window.value == 0
    one = wish(hours=0.5, contiguous=False, watts=500)
    assert plans(outlook, one, NOON)[0].window.value == 0
    (worst,) = plans(outlook, wish(highest=True), NOON)
    assert (begins(worst), worst.window.value) == (4, 1)


def test_runs_of_a_shortest_length_keep_to_whole_minutes() -> None:
    outlook = Outlook(price=prices(0.1, 0.4, 0.1, 0.2))
    late = NOON + timedelta(microseconds=1)
    asked = wish(
        hours=1.5, contiguous=False, shortest_run=0.75 * HOUR, earliest=late, latest=NOON + 4 * HOUR + late.resolution
    )
    (plan,) = plans(outlook, asked, late)
    assert [end - begin for begin, end in plan.window.parts] in ([0.75 * HOUR, 0.75 * HOUR], [1.5 * HOUR])
    assert plan.window.start == NOON + timedelta(minutes=1)


def test_several_windows_and_what_is_taken() -> None:
    outlook = Outlook(price=prices(0.4, 0.1, 0.2, 0.3))
    assert [begins(plan) for plan in plans(outlook, wish(count=9), NOON)] == [1, 2, 3, 0]
    taken = ((NOON + HOUR, NOON + 2 * HOUR),)
    assert [begins(plan) for plan in plans(outlook, wish(avoid=taken), NOON)] == [2]


def test_what_starting_now_takes_is_told_only_when_it_is_known() -> None:
    outlook = Outlook(price=prices(0.4, 0.1))
    assert plans(outlook, wish(), NOON - HOUR)[0].now is None


def test_alike_moments_score_nothing_and_the_earliest_is_taken() -> None:
    (plan,) = plans(Outlook(price=prices(0.2, 0.2, 0.2)), wish(), NOON)
    assert (begins(plan), plan.window.value, plan.terms[0].score) == (0, 0, 0)


def test_missing_forecasts_and_nonsense_are_told_apart() -> None:
    outlook = Outlook(price=prices(0.2), carbon=Forecast("gCO2eq/kWh", NOON, ()))
    with pytest.raises(NothingKnown) as caught:
        plans(outlook, wish(weights={Aim.PRICE: 1.0, Aim.CARBON: 1.0}), NOON)
    assert caught.value.aim is Aim.CARBON
    for nonsense in (
        {"weights": {Aim.PRICE: 0.0}},
        {"weights": {Aim.PRICE: 1.0, Aim.CARBON: -1.0}},
        {"weights": {}},
        {"profile": ()},
        {"contiguous": False, "profile": (Phase(HOUR, 1), Phase(HOUR, 2))},
    ):
        with pytest.raises(ValueError, match=r"weight|power|one go"):
            plans(outlook, wish(**nonsense), NOON)


def test_mixed_windows_are_those_of_trying_every_border() -> None:
    """Half-hours of price and hours of carbon against a loop over all starts on the half-hour."""
    chance = random.Random(5)
    for _ in range(200):
        half_hours = [chance.uniform(-0.1, 0.5) for _ in range(24)]
        hourly = [chance.uniform(50, 600) for _ in range(12)]
        weights = {Aim.PRICE: chance.uniform(0.1, 3), Aim.CARBON: chance.uniform(0.1, 3)}
        outlook = Outlook(price=prices(*half_hours, length=HOUR / 2), carbon=carbon(*hourly))
        length = chance.randint(1, 8)
        (plan,) = plans(outlook, wish(hours=length / 2, weights=weights), NOON)
        spread = [(max(values) - min(values), min(values)) for values in (half_hours, hourly)]
        scores = [
            sum(
                weight * (value - low) / width
                for weight, value, (width, low) in zip(weights.values(), (price, grams), spread, strict=True)
            )
            / sum(weights.values())
            for price, grams in zip(half_hours, [value for value in hourly for _ in (0, 1)], strict=True)
        ]
        means = [sum(scores[at : at + length]) / length for at in range(24 - length + 1)]
        assert plan.window.value == pytest.approx(min(means), abs=1e-9)
        assert all(later >= earlier for earlier, later in pairwise(sorted(means)))
