"""Which entities are recorded."""

from typing import Any

import pytest

from custom_components.strata.core.filter import OPTION_KEYS, EntityFacts, FilterError, IngestFilter


def wants(entity_id: str, options: dict[str, object] | None = None, **facts: object) -> bool:
    labels = frozenset(facts.pop("labels", ()))  # type: ignore[call-overload]
    return IngestFilter.from_options(options or {}).wants(
        EntityFacts(entity_id=entity_id, labels=labels, **facts),  # type: ignore[arg-type]
    )


def test_without_options_everything_of_the_home_is_recorded() -> None:
    assert wants("light.kitchen")
    assert wants("sensor.boiler_power", device_class="power", area_id="cellar", platform="mqtt")
    assert wants("camera.door")
    assert wants("event.doorbell")
    assert wants("sun.sun", platform="sun")
    assert wants("sensor.router_signal", platform="fritz", diagnostic=True)


@pytest.mark.parametrize(
    ("entity_id", "facts"),
    [
        ("button.restart", {}),
        ("input_button.bell", {}),
        ("scene.evening", {}),
        ("update.core", {"device_class": "firmware"}),
        ("tts.cloud", {}),
        ("stt.cloud", {}),
        ("conversation.home", {}),
        ("image.chart", {}),
        ("geo_location.lightning_strike_12", {}),
        ("sensor.last_seen", {"device_class": "timestamp"}),
        ("sensor.server_started", {"device_class": "uptime"}),
        ("sensor.sun_solar_elevation", {"platform": "sun"}),
        ("sensor.time", {"platform": "time_date"}),
        ("sensor.tokyo", {"platform": "worldclock"}),
        ("sensor.strata_rows_waiting", {"platform": "strata", "diagnostic": True}),
    ],
)
def test_what_says_nothing_about_the_home_is_left_out_by_default(entity_id: str, facts: dict[str, Any]) -> None:
    assert not wants(entity_id, **facts)
    assert wants(entity_id, {"default_exclusions": False}, **facts)
    assert wants(entity_id, {"include_entities": [entity_id]}, **facts)
    assert wants(entity_id, {"include_entities": [f"{entity_id[:-2]}*"]}, **facts)
    assert wants(entity_id, {"include_labels": ["record"]}, labels=["record"], **facts)
    assert not wants(entity_id, {"include_areas": ["hall"]}, area_id="hall", **facts)


def test_stratas_own_readings_are_no_diagnostics() -> None:
    assert wants("sensor.price", platform="strata", diagnostic=False)


def test_naming_a_default_exclusion_lifts_it() -> None:
    assert wants("scene.evening", {"include_domains": ["scene"]})
    assert wants("sensor.last_seen", {"include_device_classes": ["timestamp"]}, device_class="timestamp")
    assert not wants("sensor.last_seen", {"include_domains": ["sensor"]}, device_class="timestamp")
    assert not wants("update.core", {"include_device_classes": ["firmware"]}, device_class="firmware")


def test_a_password_is_never_recorded() -> None:
    assert not wants("text.pin", {"include_entities": ["text.pin"]}, secret=True)
    assert not wants("text.pin", {"default_exclusions": False}, secret=True)


@pytest.mark.parametrize(
    ("options", "recorded"),
    [
        # Only includes: these and no others.
        ({"include_domains": ["light"]}, {"light.hall", "light.attic"}),
        ({"include_entities": ["light.hall"]}, {"light.hall"}),
        ({"include_entities": ["*.hall"]}, {"light.hall", "switch.hall"}),
        ({"include_areas": ["attic"]}, {"light.attic"}),
        ({"include_labels": ["watch"]}, {"switch.hall"}),
        ({"include_device_classes": ["power"]}, {"sensor.meter"}),
        ({"include_domains": ["sensor"], "include_areas": ["attic"]}, {"sensor.meter", "light.attic"}),
        # Only excludes: all others.
        ({"exclude_domains": ["light"]}, {"switch.hall", "sensor.meter"}),
        ({"exclude_entities": ["light.hall"]}, {"light.attic", "switch.hall", "sensor.meter"}),
        ({"exclude_entities": ["*.hall"]}, {"light.attic", "sensor.meter"}),
        ({"exclude_areas": ["attic"]}, {"light.hall", "switch.hall", "sensor.meter"}),
        ({"exclude_labels": ["watch"]}, {"light.hall", "light.attic", "sensor.meter"}),
        ({"exclude_device_classes": ["power"]}, {"light.hall", "light.attic", "switch.hall"}),
        # The entity itself beats a glob, a glob beats a label, a label beats the broad ones.
        (
            {"include_entities": ["light.hall"], "exclude_entities": ["light.*"]},
            {"light.hall", "switch.hall", "sensor.meter"},
        ),
        ({"include_entities": ["light.*"], "exclude_entities": ["light.hall"]}, {"light.attic"}),
        ({"include_entities": ["switch.*"], "exclude_labels": ["watch"]}, {"switch.hall"}),
        ({"exclude_entities": ["switch.*"], "include_labels": ["watch"]}, set()),
        ({"include_labels": ["watch"], "exclude_domains": ["switch"]}, {"switch.hall"}),
        # Broad excludes narrow broad includes.
        ({"include_domains": ["light"], "exclude_areas": ["attic"]}, {"light.hall"}),
        ({"include_areas": ["attic"], "exclude_domains": ["light"]}, set()),
        # At one level the include wins, as in Home Assistant.
        ({"include_entities": ["light.hall"], "exclude_entities": ["light.hall"]}, {"light.hall"}),
        # Single entities beside broad excludes are exceptions from them, the rest stays recorded.
        (
            {"include_entities": ["light.hall"], "exclude_domains": ["light"]},
            {"light.hall", "switch.hall", "sensor.meter"},
        ),
    ],
)
def test_precedence(options: dict[str, object], recorded: set[str]) -> None:
    home: dict[str, dict[str, Any]] = {
        "light.hall": {"area_id": "hall"},
        "light.attic": {"area_id": "attic"},
        "switch.hall": {"labels": ["watch"]},
        "sensor.meter": {"device_class": "power"},
    }
    assert {entity_id for entity_id, facts in home.items() if wants(entity_id, options, **facts)} == recorded


def test_same_options_are_the_same_filter() -> None:
    one = IngestFilter.from_options({"exclude_entities": ["light.*", "sensor.a"], "archive": "unrelated"})
    assert one == IngestFilter.from_options({"exclude_entities": [" Sensor.A", "light.*"]})
    assert one != IngestFilter.from_options({"exclude_entities": ["light.*"]})
    assert len(OPTION_KEYS) == len(set(OPTION_KEYS)) == 10


@pytest.mark.parametrize(
    ("options", "key", "item"),
    [
        ({"include_entities": ["kitchen"]}, "include_entities", "kitchen"),
        ({"exclude_entities": ["light.hall", "a.b.c"]}, "exclude_entities", "a.b.c"),
        ({"include_domains": "light"}, "include_domains", "light"),
        ({"exclude_areas": ["hall", 3]}, "exclude_areas", 3),
        ({"exclude_labels": [" "]}, "exclude_labels", " "),
    ],
)
def test_wrong_options_say_which(options: dict[str, object], key: str, item: object) -> None:
    with pytest.raises(FilterError, match=key) as caught:
        IngestFilter.from_options(options)
    assert (caught.value.key, caught.value.item) == (key, item)
