"""What makes a ladder of tiers legal."""

from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.strata.store.tiers import DEFAULT_LADDER, Ladder, LadderError


def test_the_default_keeps_a_week_five_weeks_a_quarter_and_a_year():
    assert {tier.name: tier.keep.days for tier in DEFAULT_LADDER.tiers if tier.keep} == {
        "raw": 7,
        "five_minute": 35,
        "hourly": 90,
        "daily": 365,
    }
    assert DEFAULT_LADDER["hourly"].successor == "daily"


def test_a_coarser_tier_has_to_be_kept_longer():
    with pytest.raises(LadderError, match=r"hourly is kept .* longer than five_minute") as caught:
        DEFAULT_LADDER.keeping({"five_minute": timedelta(days=90)})
    assert (caught.value.finer, caught.value.coarser) == ("five_minute", "hourly")


def test_nothing_outlasts_for_ever():
    with pytest.raises(LadderError, match="daily"):
        DEFAULT_LADDER.keeping({"hourly": None})
    assert DEFAULT_LADDER.keeping({"daily": None})["daily"].keep is None


def test_a_step_has_to_divide_the_next():
    five, hourly = DEFAULT_LADDER["five_minute"], DEFAULT_LADDER["hourly"]
    with pytest.raises(LadderError, match="do not divide"):
        Ladder((replace(five, step=timedelta(minutes=7)), hourly))


def test_an_unknown_tier_is_named():
    with pytest.raises(KeyError, match="weekly"):
        DEFAULT_LADDER["weekly"]
