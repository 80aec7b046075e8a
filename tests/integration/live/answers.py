"""What a home says of Strata, and whether it is right."""

from datetime import UTC, datetime, timedelta
import re
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.live.market import price_at
from tests.integration.live.process import LiveHome, wait_for

if TYPE_CHECKING:
    from tests.integration.live.person import Person

PRICE = "sensor.electricity_price_de_lu_energy_charts_current_price"
HEALTHY = "binary_sensor.electricity_price_de_lu_energy_charts_connection"
CARBON = "sensor.carbon_intensity_grid_carbon_carbon_intensity"


def number(text: str) -> float:
    """Return the first number in what is shown."""
    found = re.search(r"[-−]?\d[\d,]*(\.\d+)?", text)
    assert found, f"no number in {text!r}"
    return float(found[0].replace(",", "").replace("−", "-"))


def is_price(value: float, bidding_zone: str) -> bool:
    """Say whether `value`, in EUR/kWh, is the price now or was a moment ago."""
    now = datetime.now(UTC)
    prices = {price_at(bidding_zone, now - ago) / 1000 for ago in (timedelta(), timedelta(seconds=5))}
    return any(value == pytest.approx(price, abs=5e-5) for price in prices)


def shows_price(home: LiveHome, bidding_zone: str) -> bool:
    state = home.state(PRICE)
    return state is not None and state["state"] != "unavailable" and is_price(float(state["state"]), bidding_zone)


def add_price_source(home: LiveHome) -> None:
    """Add the hub and, in the form it leads to, the source, as another frontend would over REST."""
    flow = home.post("/api/config/config_entries/flow", {"handler": "strata"})
    hub = home.post(f"/api/config/config_entries/flow/{flow['flow_id']}")
    assert hub["type"] == "create_entry"
    kind, flow_id = hub["next_flow"]
    assert kind == "config_subentries_flow"
    for answer in ({"role": "electricity_pricing"}, {"provider": "energy_charts"}, {"bidding_zone": "DE-LU"}, {}):
        step = home.post(f"/api/config/config_entries/subentries/flow/{flow_id}", answer)
    assert step["type"] == "create_entry"


def current(home: LiveHome) -> dict[str, Any]:
    sources: list[dict[str, Any]] = home.action("get_current")["sources"]
    assert len(sources) == 1
    return sources[0]


def update_until(home: LiveHome, healthy: str) -> None:
    """Ask for an update, as a person would, and wait until the source is healthy (`on`) or not."""
    home.post("/api/services/homeassistant/update_entity", {"entity_id": PRICE})

    def seen() -> bool:
        state = home.state(HEALTHY)
        return state is not None and state["state"] == healthy

    wait_for(seen, f"{HEALTHY} is {healthy}")


def all_states(home: LiveHome) -> list[str]:
    return [state["entity_id"] for state in home.get("/api/states")]


def entities(home: LiveHome) -> set[str]:
    """Return the ids of Strata's entities: those of the two sources and of the hub."""
    ours = {entity for entity in all_states(home) if re.search(r"energy_charts|carbon_intensity|\.strata_", entity)}
    assert {PRICE, CARBON, "sensor.strata_store_size"} <= ours
    return ours


def diagnostics(home: LiveHome, entry: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = home.get(f"/api/diagnostics/config_entry/{entry['entry_id']}")["data"]
    assert {source["provider"] for source in answer["sources"].values()} == {"energy_charts", "entity"}
    assert all(source["healthy"] for source in answer["sources"].values())
    return answer


def actions_answer(home: LiveHome) -> None:
    sources = {source["role"]: source for source in home.action("get_current")["sources"]}
    assert sources.keys() == {"carbon_intensity", "electricity_pricing"}
    assert sources["carbon_intensity"]["values"]["carbon_intensity_gco2_kwh"] == {
        "value": 180.0,
        "unit": "gCO2eq/kWh",
    }
    price = sources["electricity_pricing"]["values"]["current_price"]
    assert price["unit"] == "EUR/kWh"
    assert is_price(price["value"], "AT")

    slots = home.action("get_forecast", {"role": "electricity_pricing"})["slots"]
    first = slots[0]
    assert datetime.fromisoformat(first["start"]) <= datetime.now(UTC) < datetime.fromisoformat(slots[-1]["end"])
    for slot in slots:
        expected = price_at("AT", datetime.fromisoformat(slot["start"])) / 1000
        assert slot["value"] == pytest.approx(expected)

    for tier in ("raw", "five_minute", "hourly"):
        report = home.action("downsample", {"tier": tier, "dry_run": True})
        assert (report["tier"], report["dry_run"], report["problems"]) == (tier, True, [])


def health_is_right(person: Person) -> None:
    health = person.system_health("strata")
    assert (health["sources"], health["healthy_sources"], health["dropped_rows"]) == (2, 2, 0)
    assert health["store_size"].endswith(" MB")
    assert [answer for name, answer in health.items() if name.endswith(" reachable")] == ["ok"]


def kept_store_is_sound(home: LiveHome) -> None:
    path = home.folder / "strata" / "strata.db"
    assert path.exists()
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()
