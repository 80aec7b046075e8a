"""Which attributes are kept with a row."""

from custom_components.strata.core.attributes import recordable


def test_attributes_that_may_all_be_kept_stay_the_same_object() -> None:
    attributes = {"friendly_name": "Boiler", "unit_of_measurement": "W"}
    assert recordable(attributes, frozenset({"options"})) is attributes


def test_what_the_entity_does_not_want_recorded_is_left_out() -> None:
    attributes = {"friendly_name": "Price", "slots": [1, 2, 3]}
    assert recordable(attributes, frozenset({"slots"})) == {"friendly_name": "Price"}
    assert attributes["slots"] == [1, 2, 3]


def test_an_entity_that_wants_nothing_recorded_keeps_what_it_is() -> None:
    attributes = {
        "friendly_name": "Forecast",
        "device_class": "monetary",
        "state_class": "total",
        "unit_of_measurement": "EUR",
        "notes": "long",
    }
    assert recordable(attributes, frozenset({"*", "unit_of_measurement"})) == {
        "friendly_name": "Forecast",
        "device_class": "monetary",
        "state_class": "total",
        "unit_of_measurement": "EUR",
    }


def test_tokens_stay_out() -> None:
    attributes = {"access_token": "abc", "entity_picture": "/api/camera_proxy/camera.door?token=abc", "brand": "X"}
    assert recordable(attributes, frozenset()) == {"brand": "X"}


def test_places_are_only_kept_to_a_kilometre() -> None:
    attributes = {"latitude": 52.370216, "longitude": -4.895168, "gps_accuracy": 12}
    assert recordable(attributes, frozenset()) == {"latitude": 52.37, "longitude": -4.9, "gps_accuracy": 12}
    assert recordable({"latitude": "52.370216"}, frozenset()) == {"latitude": None}
