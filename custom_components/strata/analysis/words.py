"""Lists of words the user edits, found in titles and places as words, never as parts of words."""

from collections.abc import Iterable
import re
import unicodedata

_SEGMENTS = re.compile(r"[,;:()\[\]|/\n\t]| [-–—] ")


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


class WordList:
    """Words and phrases; case, width of spaces and Unicode variants do not matter."""

    def __init__(self, words: Iterable[str]) -> None:
        """Take the words; empty ones are left out."""
        self._spelt = {plain: word for word in words if (plain := _plain(word))}
        # Of two that begin at the same place the longer is meant: "home office" before "home".
        longest_first = sorted(self._spelt, key=lambda word: (-len(word), word))
        choices = "|".join(re.escape(word) for word in longest_first)
        self._pattern = re.compile(rf"(?<!\w)(?:{choices})(?!\w)") if choices else None

    def find(self, text: str) -> tuple[int, int, str] | None:
        """Return where the first of the words stands in `text`, minus its length, and the word as it is spelt."""
        found = self._pattern.search(_plain(text)) if self._pattern else None
        return (found.start(), -len(found.group()), self._spelt[found.group()]) if found else None

    def names(self, place: str) -> str | None:
        """Return the word, as the user spells it, that a part of `place` consists of, or None.

        "Home, 12 Main Street" names home; "Home Depot, 5th Avenue" and "Homer Street" do not.
        """
        parts = [_plain(part) for part in [place, *_SEGMENTS.split(place)]]
        return next((self._spelt[part] for part in parts if part in self._spelt), None)
