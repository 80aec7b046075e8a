"""Time spent in text states: what a bucket says of each by name, and what it adds up.

A sensor that says something new with every change (when it was last seen, what is playing) would have each bucket
keep every one of its texts, and the store the texts themselves. So a bucket names the states that lasted longest, and
adds the seconds of all others up under one name. No second is lost, and samples and transitions count every state.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Ints = NDArray[np.int64]

MOST_STATES = 20
"""States that a bucket names. One that is new every three minutes is still told in full by hours; an entity whose texts
never come twice keeps 20 of an hour for as long as hours are kept: 43,200 texts in 90 days, which is 3 MB."""
OTHERS = -2
"""The code of all other states together; no text has it in the store."""
OTHERS_NAME = "(other)"
"""What they are called. A state that is really called so is one of them, so it can be mistaken for nothing else."""


@dataclass(frozen=True, slots=True)
class StateTime:
    """Time spent in each text state: parallel arrays, one entry per bucket and state met, in this order."""

    bucket: Ints
    code: Ints
    micros: Ints


NO_STATES = StateTime(*(np.empty(0, np.int64) for _ in range(3)))


def state_time(bucket: Ints, code: Ints, micros: Ints, names: tuple[str, ...]) -> tuple[StateTime, tuple[str, ...]]:
    """Add time up by bucket and state, keep the longest of each bucket apart, and add the others up.

    Args:
        bucket: the buckets of stretches of time, in any order.
        code: the states.
        micros: how long they are.
        names: the texts of codes that are places in it; empty where codes are the store's.

    Returns:
        What was spent, and the names, with one for the others where that was not among them and is needed. Of states
        that lasted equally long those with the smaller codes are named: the ones that are known longer.
    """
    if not len(bucket):
        return NO_STATES, names
    others = OTHERS if not names else names.index(OTHERS_NAME) if OTHERS_NAME in names else len(names)
    spent = _added_up(bucket, code, micros)
    beyond = _beyond(spent, others)
    if beyond.any():
        spent = _added_up(spent.bucket, np.where(beyond, others, spent.code), spent.micros)
    if names and others == len(names) and beyond.any():
        names = (*names, OTHERS_NAME)
    return spent, names


def _added_up(bucket: Ints, code: Ints, micros: Ints) -> StateTime:
    low = int(code.min())
    width = int(code.max()) - low + 1
    pair, inverse = np.unique(bucket * width + (code - low), return_inverse=True)
    total = np.zeros(len(pair), np.int64)
    np.add.at(total, inverse, micros)
    return StateTime(pair // width, pair % width + low, total)


def _beyond(spent: StateTime, others: int) -> NDArray[np.bool_]:
    """Tell which entries are of states that their bucket does not name."""
    beyond = np.zeros(len(spent.code), np.bool_)
    named = np.flatnonzero(spent.code != others)
    if len(named) <= MOST_STATES:
        return beyond
    order = named[np.lexsort((spent.code[named], -spent.micros[named], spent.bucket[named]))]
    of_bucket = spent.bucket[order]
    rank = np.arange(len(order)) - np.searchsorted(of_bucket, of_bucket)
    beyond[order[rank >= MOST_STATES]] = True
    return beyond
