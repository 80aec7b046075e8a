"""Which databases a mirror needs, and how long a server keeps what is in them."""

from datetime import timedelta

from custom_components.strata.core.model import Kind, Series, SeriesKey
from custom_components.strata.mirror.selection import DEFAULT_CONTENTS, Content, Database, Layout, wants_rows
from custom_components.strata.store.tiers import DEFAULT_LADDER

DAY = timedelta(days=1)


def test_each_tier_has_a_database_that_keeps_a_little_longer_than_we_do():
    assert Layout(base="home").databases(DEFAULT_CONTENTS, DEFAULT_LADDER) == (
        Database(name="home_raw", keep=10 * DAY, shard=DAY),
        Database(name="home_five_minute", keep=38 * DAY, shard=7 * DAY),
        Database(name="home_hourly", keep=93 * DAY, shard=30 * DAY),
        Database(name="home_daily", keep=368 * DAY, shard=364 * DAY),
        Database(name="home_views", keep=1829 * DAY, shard=364 * DAY),
    )


def test_only_what_is_mirrored_needs_a_database():
    wanted = frozenset({Content.HOURLY})
    assert [each.name for each in Layout(base="x").databases(wanted, DEFAULT_LADDER)] == ["x_hourly"]
    wanted = frozenset({Content.FORECASTS})
    assert [each.name for each in Layout(base="x").databases(wanted, DEFAULT_LADDER)] == ["x_raw"]
    wanted = frozenset({Content.VIEWS})
    assert [each.name for each in Layout(base="x").databases(wanted, DEFAULT_LADDER)] == ["x_views"]


def test_one_database_for_all_keeps_as_long_as_the_longest():
    (only,) = Layout(base="x", per_tier=False).databases(DEFAULT_CONTENTS, DEFAULT_LADDER)
    assert (only.name, only.keep) == ("x", 368 * DAY)
    assert Layout(base="x", per_tier=False).name("hourly") == "x"
    # Views alone keep their years; beside single changes those would be kept as long.
    (only,) = Layout(base="x", per_tier=False).databases(frozenset({Content.VIEWS}), DEFAULT_LADDER)
    assert (only.name, only.keep) == ("x", 1829 * DAY)


def test_what_is_kept_for_ever_is_kept_for_ever_there_too():
    ladder = DEFAULT_LADDER.keeping({"daily": None})
    *_, daily, _ = Layout(base="x").databases(DEFAULT_CONTENTS, ladder)
    assert daily.keep is None
    (only,) = Layout(base="x", per_tier=False).databases(DEFAULT_CONTENTS, ladder)
    assert only.keep is None


def test_a_shard_is_never_longer_than_what_is_kept():
    ladder = DEFAULT_LADDER.keeping({"raw": timedelta(days=1), "five_minute": timedelta(days=2)})
    _, five, *_ = Layout(base="x").databases(DEFAULT_CONTENTS, ladder)
    assert five.shard == five.keep == 5 * DAY


def test_readings_and_state_changes_are_chosen_apart():
    reading = Series(SeriesKey.of_tags("carbon_intensity", {"region": "GB"}, "x"), Kind.MEASUREMENT)
    change = Series(SeriesKey.of_entity("home_assistant_events", "x"), Kind.MEASUREMENT)
    assert wants_rows(frozenset({Content.READINGS}), reading)
    assert not wants_rows(frozenset({Content.READINGS}), change)
    assert wants_rows(frozenset({Content.RAW}), change)
