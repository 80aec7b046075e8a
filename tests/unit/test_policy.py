"""How long each entity's history is kept: the most specific word counts."""

from datetime import timedelta
from itertools import permutations
import random

import pytest

from custom_components.strata.core.filter import EntityFacts, Selection
from custom_components.strata.core.policy import (
    FOR_EVER,
    KINDS,
    PRESETS,
    TIERS,
    Policies,
    Rule,
    SeriesFacts,
    contradiction,
    days,
)
from custom_components.strata.store.tiers import DEFAULT_LADDER

DEFAULT = {tier.name: tier.keep for tier in DEFAULT_LADDER.tiers}
FRIDGE = EntityFacts(
    entity_id="sensor.fridge_power", device_class="power", area_id="kitchen", labels=frozenset({"cold", "vital"})
)


def rule(**said):
    keeps = said.pop("keeps")
    return Rule(Selection(**{name: frozenset(items) for name, items in said.items()}), days(**keeps))


def in_days(keeps):
    return {tier: None if keep is None else keep.days for tier, keep in keeps.items()}


def kept(*rules, facts=FRIDGE, measurement="home_assistant_events", **more):
    return in_days(Policies(rules, **more).keeps(SeriesFacts(measurement, facts), DEFAULT))


RANKED = (
    rule(entities=["sensor.fridge_power"], keeps={"raw": 11}),
    rule(labels=["cold"], keeps={"raw": 12}),
    rule(areas=["kitchen"], keeps={"raw": 13}),
    rule(device_classes=["power"], keeps={"raw": 14}),
    rule(domains=["sensor"], keeps={"raw": 15}),
)


def test_without_rules_everything_is_kept_as_the_rest():
    assert not Policies()
    assert kept() == {"raw": 7, "five_minute": 35, "hourly": 90, "daily": 365}


@pytest.mark.parametrize("first", range(len(RANKED)))
def test_the_more_specific_rule_decides_in_whatever_order_they_stand(first):
    some = RANKED[first:]
    expected = 11 + first
    for order in [some, tuple(reversed(some))]:
        assert kept(*order, kinds=("power",))["raw"] == expected


def test_a_pattern_of_ids_is_as_good_as_an_id():
    assert kept(rule(entities=["sensor.fridge_*"], keeps={"raw": 20}), *RANKED[1:])["raw"] == 20


def test_a_tier_a_rule_is_silent_about_is_left_to_the_next():
    said = kept(RANKED[0], rule(domains=["sensor"], keeps={"hourly": 400}))
    assert said == {"raw": 11, "five_minute": 35, "hourly": 400, "daily": 400}


def test_of_equal_rules_the_longest_keep_counts():
    some = [rule(labels=[label], keeps=keeps) for label, keeps in (("cold", {"raw": 3}), ("vital", {"raw": 30}))]
    for order in permutations(some):
        assert kept(*order)["raw"] == 30
    assert kept(*some, rule(labels=["cold"], keeps={"raw": None}))["raw"] is None


def test_a_pin_is_for_ever():
    pinned = Selection(entities=frozenset({"sensor.fridge_power"}))
    assert kept(*RANKED, pinned=pinned) == dict.fromkeys(TIERS)
    assert kept(pinned=Selection(entities=frozenset({"sensor.other"})))["raw"] == 7
    assert kept(pinned=Selection(labels=frozenset({"vital"})))["daily"] is None


def test_a_source_follows_the_preset_of_its_kind_only():
    said = kept(*RANKED, facts=None, measurement="electricity_pricing", kinds=("cost",))
    assert said == {"raw": 30, "five_minute": 60, "hourly": 730, "daily": None}
    assert kept(*RANKED, facts=None, measurement="pollen", kinds=tuple(KINDS))["raw"] == 7


@pytest.mark.parametrize(
    ("entity_id", "device_class", "kinds"),
    [
        ("sensor.plug", "power", {"power"}),
        ("sensor.meter", "energy", {"energy"}),
        ("sensor.gas", "gas", {"energy"}),
        ("binary_sensor.gas", "gas", {"alerts"}),
        ("binary_sensor.boiler", "problem", {"alerts"}),
        ("alarm_control_panel.home", None, {"alerts"}),
        ("sensor.bill", "monetary", {"cost"}),
        ("light.hall", None, {"device_status"}),
        ("sensor.remote", "battery", {"device_status"}),
        ("binary_sensor.bridge", "connectivity", {"device_status"}),
        ("sensor.outside", "temperature", set()),
    ],
)
def test_kinds_of_data(entity_id, device_class, kinds):
    facts = SeriesFacts("home_assistant_events", EntityFacts(entity_id=entity_id, device_class=device_class))
    assert {name for name, kind in KINDS.items() if kind.covers(facts)} == kinds


@pytest.mark.parametrize("keeps", [*PRESETS.values(), *(kind.keeps for kind in KINDS.values())])
def test_no_preset_contradicts_itself(keeps):
    assert set(keeps) == set(TIERS)
    assert contradiction(keeps) is None


def test_presets_are_ladders():
    for keeps in PRESETS.values():
        DEFAULT_LADDER.keeping(keeps)
    assert PRESETS["balanced"] == DEFAULT


def test_a_contradiction_is_named():
    assert contradiction(days(raw=10, hourly=9)) == ("raw", "hourly")
    assert contradiction(days(raw=None, daily=9)) == ("raw", "daily")
    assert contradiction(days(raw=None, daily=None)) is None
    assert contradiction(days(raw=9, hourly=9, daily=None)) is None


def test_against_brute_force_with_random_rules():
    """Look the answer up by trying ranks one after the other, the most specific first."""
    chance = random.Random(4)
    places = ["kitchen", "attic"]
    for _ in range(400):
        rules = [
            rule(
                **{side: chance.sample(names, 1)},
                keeps={tier: chance.choice([None, *range(1, 500)]) for tier in chance.sample(TIERS, 2)},
            )
            for side, names in chance.choices(
                [
                    ("entities", ["sensor.fridge_power", "sensor.x", "sensor.fr*"]),
                    ("labels", ["cold", "vital", "else"]),
                    ("areas", places),
                    ("device_classes", ["power", "energy"]),
                    ("domains", ["sensor", "light"]),
                ],
                k=chance.randrange(5),
            )
        ]
        found = Policies(rules).keeps(SeriesFacts("home_assistant_events", FRIDGE), DEFAULT)
        longest = 0.0
        for tier in TIERS:
            longest = max(longest, _brute(rules, tier))
            keep = found[tier]
            assert (float("inf") if keep is None else keep / timedelta(days=1)) == longest


def _brute(rules, tier):
    matches = (
        lambda which: which.names(FRIDGE) or which.globs(FRIDGE),
        lambda which: bool({"cold", "vital"} & which.labels),
        lambda which: "kitchen" in which.areas,
        lambda which: "power" in which.device_classes,
        lambda which: "sensor" in which.domains,
    )
    for match in matches:
        said = [each.keeps[tier] for each in rules if tier in each.keeps and match(each.selection)]
        if said:
            return max(float("inf") if keep is None else keep.days for keep in said)
    return DEFAULT[tier].days


def test_for_ever_is_every_tier():
    assert dict(FOR_EVER) == dict.fromkeys(TIERS)
