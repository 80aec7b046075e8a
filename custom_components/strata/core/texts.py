"""Texts that every file, table and server takes."""

from typing import overload


@overload
def storable(text: str) -> str: ...
@overload
def storable(text: str | None) -> str | None: ...
def storable(text: str | None) -> str | None:
    """Return a text without lone surrogates: bytes that a device sent in another encoding end up as such.

    No UTF-8 says them, so neither SQLite nor Parquet nor a server takes them; each becomes a question mark.
    """
    if text is None or text.isascii():
        return text
    return text.encode(errors="replace").decode()
