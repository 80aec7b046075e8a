"""Sharing a sequence out into portions of bounded weight."""

from collections.abc import Callable, Iterable, Iterator


def portioned[P](parts: Iterable[P], weight: Callable[[P], int], most: int) -> Iterator[list[P]]:
    """Yield neighbouring parts that together weigh at most `most`; one that weighs more is alone."""
    together: list[P] = []
    so_far = 0
    for part in parts:
        heavy = weight(part)
        if together and so_far + heavy > most:
            yield together
            together, so_far = [], 0
        together.append(part)
        so_far += heavy
    if together:
        yield together
