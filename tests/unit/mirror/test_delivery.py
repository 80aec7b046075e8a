"""A batch arrives whole, or all of it but what the server will never take."""

import pytest

from custom_components.strata.mirror.answer import Accepted
from custom_components.strata.mirror.delivery import Abandoned, Delivery
from custom_components.strata.mirror.errors import (
    MirrorBusy,
    MirrorRefused,
    MirrorTooLarge,
    MirrorUnreachable,
    Obstacle,
    Refusal,
)
from custom_components.strata.mirror.figures import Figures
from custom_components.strata.mirror.influx import pack
from custom_components.strata.mirror.parcels import Batch
from tests.unit.mirror.given import MemoryServer, Notices, Sleeps

DOWN = MirrorUnreachable("nothing answers", Obstacle.REFUSED)
LINES = [f"power,entity_id=sensor.a value={number}.0 {number}000" for number in range(5000)]


async def at_once() -> None:
    """Nothing to do before another try."""


class World:
    def __init__(self) -> None:
        self.server, self.figures, self.sleeps, self.notices = MemoryServer(), Figures(), Sleeps(), Notices()
        self.delivery = Delivery(self.server, self.figures, now=lambda: 77, listener=self.notices, sleep=self.sleeps)

    async def send(self, lines=LINES, before_retry=at_once) -> None:
        await self.delivery.send(Batch("strata_raw", lines, pack(lines)), before_retry)

    @property
    def arrived(self) -> set[int]:
        return set(self.server.values().get("sensor.a", {}))


@pytest.fixture
def world() -> World:
    return World()


async def test_a_batch_that_is_taken_is_acknowledged(world):
    await world.send()
    assert world.arrived == set(range(5000))
    assert world.figures.counts() == {
        "sent": 5000,
        "acknowledged": 5000,
        "beyond_retention": 0,
        "quarantined": 0,
        "dropped": 0,
        "expired": 0,
        "requests": 1,
        "retries": 0,
    }
    assert world.figures.acknowledged_at == 77
    assert world.notices == []


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (DOWN, ["failing", "recovered"]),
        (MirrorUnreachable("no answer in time", Obstacle.TIMEOUT), ["failing", "recovered"]),
        (MirrorBusy("429"), ["failing", "recovered"]),
        (MirrorRefused("who are you", Refusal.CREDENTIALS), ["held", "recovered"]),
        (MirrorRefused("no such database", Refusal.MISSING), ["held", "recovered"]),
    ],
)
async def test_trouble_is_waited_out_and_told_once(world, error, kinds):
    world.server.faults += [error] * 9
    await world.send()
    assert world.arrived == set(range(5000))
    assert world.notices.kinds == kinds
    assert world.figures.retries == 9
    assert world.figures.sent == world.figures.acknowledged == 5000
    assert world.delivery.trouble is None
    # 1 s doubling to 60 s, spread over half of each.
    for slept, longest in zip(world.sleeps.seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert longest / 2 <= slept <= longest


async def test_a_server_that_says_when_to_come_again_is_obeyed_within_reason(world):
    world.server.faults += [MirrorBusy("later", 90.0), MirrorBusy("later", 86_400.0), MirrorBusy("later", 0.0)]
    await world.send()
    first, second, third = world.sleeps.seconds
    assert (first, second) == (90.0, 600.0)
    assert third >= 2.0


async def test_what_is_wrong_may_change(world):
    held, other = (MirrorRefused("", refusal) for refusal in (Refusal.CREDENTIALS, Refusal.PERMISSION))
    world.server.faults += [DOWN, held, held, other, DOWN]
    await world.send()
    assert [(notice.kind.value, notice.refusal) for notice in world.notices] == [
        ("failing", None),
        ("held", Refusal.CREDENTIALS),
        ("held", Refusal.PERMISSION),
        ("recovered", None),
    ]


async def test_sending_ends_when_it_is_no_longer_wanted(world):
    world.server.always = DOWN

    async def no_more() -> None:
        raise Abandoned

    with pytest.raises(Abandoned):
        await world.send(before_retry=no_more)
    assert world.delivery.trouble is DOWN


async def test_what_is_too_large_goes_in_pieces_and_in_order(world):
    world.server.largest = 1000
    await world.send()
    assert world.arrived == set(range(5000))
    assert max(size for size in world.server.batches if size <= 1000) == 625
    assert world.figures.acknowledged == 5000
    assert world.figures.quarantined == 0


async def test_a_line_that_is_too_large_alone_is_set_aside(world):
    world.server.always = MirrorTooLarge("1 byte at most")
    await world.send(LINES[:3])
    assert world.figures.quarantined == 3
    assert [poison.reason for poison in world.figures.poison] == ["1 byte at most"] * 3


@pytest.mark.parametrize("keeps_good_lines", [True, False])
@pytest.mark.parametrize("names_bad_lines", [True, False])
@pytest.mark.parametrize("place", [0, 2500, 4999])
async def test_one_poison_line_is_quarantined_alone(world, keeps_good_lines, names_bad_lines, place):
    world.server.keeps_good_lines, world.server.names_bad_lines = keeps_good_lines, names_bad_lines
    world.server.poison = lambda line: line == LINES[place]
    await world.send()
    assert world.arrived == set(range(5000)) - {place}
    assert world.figures.acknowledged == 4999
    assert world.figures.quarantined == 1
    (poison,) = world.figures.poison
    assert (poison.time, poison.database, poison.line) == (77, "strata_raw", LINES[place])
    assert poison.reason == ("named" if names_bad_lines else "poison")
    # Halving 5,000 lines takes 13 steps.
    assert world.figures.requests <= 27
    assert world.notices.kinds == ["quarantined"]


async def test_many_poison_lines_are_all_found(world):
    bad = {LINES[number] for number in range(0, 5000, 500)}
    world.server.poison = bad.__contains__
    world.server.keeps_good_lines = False
    await world.send()
    assert world.figures.quarantined == 10
    assert world.figures.acknowledged == 4990
    assert len(world.arrived) == 4990
    assert world.notices.kinds == ["quarantined"]


async def test_a_batch_of_nothing_but_named_poison_is_not_sent_again(world):
    world.server.names_bad_lines = True
    world.server.poison = lambda line: True
    await world.send(LINES[:10])
    assert (world.figures.quarantined, world.figures.requests) == (10, 1)


async def test_trouble_in_the_middle_of_sifting_loses_nothing(world):
    world.server.poison = lambda line: line == LINES[1234]
    world.server.keeps_good_lines = False
    world.sleeps._after = lambda count: None
    writes = 0
    write = world.server.write

    async def flaky(database, body):
        nonlocal writes
        writes += 1
        if writes % 3 == 0:
            raise DOWN
        return await write(database, body)

    world.server.write = flaky
    await world.send()
    assert world.arrived == set(range(5000)) - {1234}
    assert world.figures.quarantined == 1


async def test_points_beyond_retention_are_acknowledged_and_counted_apart(world):
    world.server.faults.append(Accepted(17))
    await world.send()
    assert world.figures.acknowledged == 5000
    assert world.figures.beyond_retention == 17


def test_figures_come_back_from_their_note():
    figures = Figures(sent=5, acknowledged=4, acknowledged_at=9, complete_at=8)
    for number in range(150):
        figures.quarantine(number, "db", f"line {number} " + "x" * 1000, "reason")
    again = Figures()
    again.restore(figures.note())
    assert again == figures
    assert again.quarantined == 150
    assert len(again.poison) == 100
    assert again.poison[-1].line.startswith("line 149")
    assert max(len(poison.line) for poison in again.poison) == 500
