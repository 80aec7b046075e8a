"""Air quality: a good world for each provider."""

from collections.abc import Mapping

from tests.contracts.recording import Recording

ROLE = "air_quality"
UNIT = "AQI"

RECORDINGS: Mapping[str, Recording] = {
    "open_meteo": Recording(
        options={}, answers={"/v1/air-quality": f"{ROLE}/open_meteo/berlin.json"}, value=57.0, unit=UNIT
    ),
    "entity": Recording(
        options={
            "entity": "sensor.airnow_pm2_5",
            "more_entities": [
                "sensor.airnow_ozone",
                "sensor.airnow_air_quality_index",
                "sensor.openuv_current_uv_index",
            ],
        },
        entity=f"{ROLE}/entity/airnow.json",
        # PM2.5 of 12.0 has the index 56, ozone of 0.054 ppm the index 50; what another computed does not count.
        value=56.0,
        unit=UNIT,
    ),
    "airnow": Recording(
        options={"api_key": "secret-key"},
        answers={"/aq/observation/current/ziplatlong/": f"{ROLE}/airnow/los_angeles.json"},
        value=54.0,
        unit=UNIT,
    ),
    "openaq": Recording(
        options={"api_key": "secret-key"},
        answers={"/latest": f"{ROLE}/openaq/latest.json", "/v3/locations": f"{ROLE}/openaq/locations.json"},
        value=100.0,
        unit=UNIT,
    ),
    "waqi": Recording(
        options={"api_key": "secret-key"},
        answers={"/feed/": f"{ROLE}/waqi/berlin.json"},
        value=42.0,
        unit=UNIT,
        rows=False,
    ),
    "purpleair": Recording(
        options={"api_key": "secret-key", "sensor": "131075"},
        answers={"/v1/sensors/131075": f"{ROLE}/purpleair/sensor.json"},
        # 18.5 µg/m³: 51 + 9.4 · 49 / 26.3.
        value=69.0,
        unit=UNIT,
        rows=False,
    ),
}
