"""What is known about unusual stretches of each watched entity: one JSON document per entity."""

from collections.abc import Mapping
import json
import sqlite3
from typing import Any

from .connection import transaction


def save(connection: sqlite3.Connection, states: Mapping[str, Mapping[str, Any]]) -> None:
    """Write states by entity identity in one transaction; those of other entities stay."""
    with transaction(connection):
        connection.executemany(
            "INSERT OR REPLACE INTO anomaly VALUES (?, ?)",
            [(entity, json.dumps(state, separators=(",", ":"))) for entity, state in states.items()],
        )


def load(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Return the states by entity identity; what cannot be read is left out and begins anew."""
    states: dict[str, dict[str, Any]] = {}
    for entity, text in connection.execute("SELECT entity, state FROM anomaly"):
        try:
            state = json.loads(text)
        except ValueError:
            continue
        if isinstance(state, dict):
            states[entity] = state
    return states
