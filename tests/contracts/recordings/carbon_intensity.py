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
    "energi_data_service": Recording(
        options={"price_area": "DK1"},
        answers={"/dataset/CO2EmisProg": f"{ROLE}/energi_data_service/co2_emis_prog_dk1.json"},
        value=92.5,
        unit="gCO2eq/kWh",
    ),
    "odre": Recording(
        options={}, answers={"/eco2mix-national-tr/": f"{ROLE}/odre/eco2mix.json"}, value=31.5, unit="gCO2eq/kWh"
    ),
    "electricity_maps": Recording(
        options={"api_key": "secret-key", "zone": "DE", "forecast": True},
        answers={
            "/v4/carbon-intensity/latest": f"{ROLE}/electricity_maps/latest.json",
            "/v4/power-breakdown/latest": f"{ROLE}/electricity_maps/breakdown.json",
            "/v4/carbon-intensity/forecast": f"{ROLE}/electricity_maps/forecast.json",
        },
        value=302.5,
        unit="gCO2eq/kWh",
        rows=False,
    ),
    "watttime": Recording(
        options={"username": "user", "password": "secret-password", "marginal": True},
        answers={
            "/login": f"{ROLE}/watttime/login.json",
            "/v3/region-from-loc": f"{ROLE}/watttime/region.json",
            "/v3/forecast": f"{ROLE}/watttime/forecast_day.json",
        },
        value=453.59237,
        unit="gCO2/kWh",
    ),
    "entity": Recording(
        options={"entity": "sensor.electricity_maps_co2_intensity"},
        entity=f"{ROLE}/entity/co2signal.json",
        value=474.0,
        unit="gCO2eq/kWh",
    ),
}
