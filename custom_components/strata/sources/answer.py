"""Reading a decoded answer: what is not there or of another type is said, never guessed."""

from datetime import UTC, datetime, tzinfo
import math

from .base import Json, SourceBadAnswer


def mapping(value: object, what: str) -> dict[str, Json]:
    """Return `value` as a JSON object.

    Raises:
        SourceBadAnswer: it is none; the message names `what`.
    """
    if not isinstance(value, dict):
        raise SourceBadAnswer(f"{what} is not an object")
    return value


def sequence(value: object, what: str) -> list[Json]:
    """Return `value` as a JSON array.

    Raises:
        SourceBadAnswer: it is none; the message names `what`.
    """
    if not isinstance(value, list):
        raise SourceBadAnswer(f"{what} is not a list")
    return value


def number(value: object) -> float | None:
    """Return a finite number given as number or as text, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value)
    except ValueError:
        return None
    return result if math.isfinite(result) else None


def epoch(value: object, *, per_second: int = 1) -> datetime:
    """Return the UTC instant of a count since 1970, in seconds or in parts of `per_second`.

    Raises:
        SourceBadAnswer: `value` is no such count.
    """
    count = number(value)
    try:
        return datetime.fromtimestamp((math.nan if count is None else count) / per_second, UTC)
    except ValueError, OverflowError, OSError:
        raise SourceBadAnswer("a time in the answer is not a count since 1970") from None


def moment(value: object, zone: tzinfo = UTC) -> datetime:
    """Return the UTC instant of a datetime or ISO 8601 text; one without an offset is in `zone`.

    Raises:
        SourceBadAnswer: `value` is neither.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise SourceBadAnswer("a time in the answer is not ISO 8601") from None
    if not isinstance(value, datetime):
        raise SourceBadAnswer("a time in the answer is missing")
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)


def aligned(left: list[Json], right: list[Json], what: str) -> list[tuple[Json, Json]]:
    """Return the pairs of two columns.

    Raises:
        SourceBadAnswer: they differ in length; the message names `what`.
    """
    if len(left) != len(right):
        raise SourceBadAnswer(f"{what} has {len(right)} values for {len(left)} times")
    return list(zip(left, right, strict=True))
