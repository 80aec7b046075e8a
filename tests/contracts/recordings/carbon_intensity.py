"""Carbon intensity: a good world for each provider."""

from collections.abc import Mapping

from tests.contracts.recording import Recording
from tests.source_world import LONDON

ROLE = "carbon_intensity"

RECORDINGS: Mapping[str, Recording] = {
    "neso": Recording(
        options={},
        home=LONDON,
        answers={
            "/fw48h": f"{ROLE}/neso/national_48h.json",
            "/generation": f"{ROLE}/neso/generation.json",
        },
        value=210.0,
        unit="gCO2eq/kWh",
    ),
    "energy_charts": Recording(
        options={"country": "de"},
        answers={
            "/public_power": f"{ROLE}/energy_charts/public_power_de.json",
            "/ren_share_forecast": f"{ROLE}/energy_charts/ren_share_forecast_de.json",
        },
        value=316.28302,
        unit="gCO2eq/kWh",
    ),
    "entity": Recording(
        options={"entity": "sensor.electricity_maps_co2_intensity"},
        entity=f"{ROLE}/entity/co2signal.json",
        value=474.0,
        unit="gCO2eq/kWh",
    ),
}
