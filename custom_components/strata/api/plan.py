"""How a window is answered, with its reasons: by actions, REST, WebSocket and entities alike."""

from homeassistant.util.json import JsonObjectType, JsonValueType

from ..core.objective import Plan, Term
from ..core.outlook import Aim, Totals


def answer_plan(plan: Plan) -> JsonObjectType:
    """Return a window with what it costs, emits and saves, and how it was judged."""
    window = plan.window
    parts: list[JsonValueType] = [{"start": start.isoformat(), "end": end.isoformat()} for start, end in window.parts]
    running = sum((end - start).total_seconds() for start, end in window.parts)
    return {
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "parts": parts,
        "running_seconds": round(running),
        "score": round(window.value, 4),
        "energy_kwh": _rounded(plan.totals.energy_kwh),
        "cost": _rounded(plan.totals.cost),
        "currency": plan.currency,
        "carbon_kg": _rounded(plan.totals.carbon_kg),
        "solar_kwh": _rounded(plan.totals.solar_kwh),
        "saving": answer_saving(plan.totals, plan.now),
        "reasons": [_reason(term, plan.currency) for term in plan.terms],
    }


def answer_saving(totals: Totals, now: Totals | None) -> JsonObjectType:
    """Return what is saved against starting now; None where one of the two is not known."""
    cost = None if now is None or now.cost is None or totals.cost is None else now.cost - totals.cost
    carbon = (
        None if now is None or now.carbon_kg is None or totals.carbon_kg is None else now.carbon_kg - totals.carbon_kg
    )
    # A share of nothing, or of what is paid to the user, says nothing.
    share = None if cost is None or now is None or not now.cost or now.cost < 0 else 100 * cost / now.cost
    return {
        "cost": _rounded(cost),
        "carbon_kg": _rounded(carbon),
        "percent": None if share is None else round(share, 1),
    }


def _reason(term: Term, currency: str | None) -> JsonObjectType:
    units = {Aim.PRICE: f"{currency}/kWh", Aim.CARBON: "gCO2eq/kWh", Aim.SOLAR: "share bought"}
    return {
        "aim": term.aim.value,
        "weight": term.weight,
        "mean": _rounded(term.mean),
        "best": _rounded(term.best),
        "worst": _rounded(term.worst),
        "unit": units[term.aim],
        "score": round(term.score, 4),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
