"""When a load would run: one window of each kind, asked of the demo's sources."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from custom_components.strata.const import DOMAIN

from .findings import Findings

KINDS: Mapping[str, Mapping[str, Any]] = {
    "cheapest": {"role": "electricity_pricing"},
    "dearest": {"role": "electricity_pricing", "highest": True},
    "cheapest_in_pieces": {"role": "electricity_pricing", "contiguous": False},
    "cleanest": {"role": "carbon_intensity", "forecast": "carbon_intensity_gco2_kwh"},
    "mixed": {"price_weight": 1, "carbon_weight": 1, "power": 2000},
}
"""What is asked for two hours, by the name in the report."""


async def find_windows(hass: HomeAssistant, findings: Findings) -> dict[str, Any]:
    """Ask for a window of each kind; each has to last two hours in all."""
    told: dict[str, Any] = {}
    wrong = []
    for name, asked in KINDS.items():
        question = {"duration": {"hours": 2}, **asked}
        try:
            answer: Any = await hass.services.async_call(
                DOMAIN, "find_window", question, blocking=True, return_response=True
            )
            (told[name],) = answer["windows"]
        except (HomeAssistantError, ValueError) as error:
            wrong.append(f"{name}: {error}")
            continue
        lasts = sum(
            (datetime.fromisoformat(part["end"]) - datetime.fromisoformat(part["start"])).total_seconds()
            for part in told[name]["parts"]
        )
        if lasts != 7200:
            wrong.append(f"{name} lasts {lasts:.0f} s")
    if not wrong:
        costs = [told[name]["value"] for name in ("cheapest_in_pieces", "cheapest", "dearest")]
        if costs != sorted(costs):
            wrong.append(f"pieces, cheapest and dearest cost {costs}")
    findings.check("a window of each kind is found", not wrong, "; ".join(wrong) or ", ".join(told))
    return told
