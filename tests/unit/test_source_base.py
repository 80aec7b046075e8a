"""What a provider and a role are without saying anything of their own."""

from datetime import timedelta
from typing import override

import pytest

from custom_components.strata.sources.base import (
    Context,
    EntityState,
    Provider,
    Reading,
    Role,
    Snapshot,
    SourceRateLimited,
    StoredField,
)
from tests.source_world import BERLIN, NOW, world

READING = Reading(fields={"level": 5.0}, tags={}, observed_at=NOW, fetched_at=NOW, unit="m")


class Least(Provider):
    key = "least"

    @override
    async def fetch(self, context: Context) -> Reading:
        return READING


LEVEL = Role(
    key="level",
    measurement="level",
    tags=(),
    fields=(StoredField(name="level", unit="m"),),
    metrics=(),
    main="level",
    interval=timedelta(hours=1),
    good_for=lambda reading: timedelta(hours=1),
    providers=(Least,),
)


async def test_provider_needs_a_key_and_a_fetch_only() -> None:
    provider = Least({"a": 1})
    assert await provider.fetch(world()[0]) is READING
    assert provider.options == {"a": 1}
    assert provider.title() == ""
    assert provider.next_fetch(NOW, READING) is None
    assert provider.watched_entities() == ()
    assert provider.lacks() == frozenset()
    assert not provider.local


def test_role_shows_what_the_provider_gave() -> None:
    snapshot = Snapshot(reading=READING, now=NOW, provider="least", home=BERLIN)
    assert LEVEL.fields_at(snapshot) == {"level": 5.0}
    assert not LEVEL.slot_bound
    assert LEVEL.provider("least") is Least
    with pytest.raises(KeyError, match="level has no provider 'most'"):
        LEVEL.provider("most")


@pytest.mark.parametrize(("unit", "expected"), [("EUR/kWh", "EUR/kWh"), (None, None), (5, None)])
def test_a_unit_is_a_text(unit: object, expected: str | None) -> None:
    state = EntityState(entity_id="sensor.a", state="1", attributes={"unit_of_measurement": unit}, last_updated=NOW)
    assert state.unit == expected


def test_a_rate_limit_may_not_say_how_long() -> None:
    assert SourceRateLimited("wait").retry_after is None
    assert str(SourceRateLimited("wait", 5.0)) == "wait"
