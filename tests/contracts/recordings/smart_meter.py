"""Smart meters: a good world for each provider."""

from collections.abc import Mapping
import time
from typing import Any

from pyemvue import auth
import pytest
import requests

from tests.contracts.recording import Recording
from tests.source_world import Route

ROLE = "smart_meter"


class Accounts:
    """In place of Amazon Cognito."""

    def __init__(self, *pool: Any, **account: Any) -> None:
        self.account = account


def emporia(patch: pytest.MonkeyPatch, route: Route, limit: float) -> None:
    """Let PyEmVue's requests be answered; every login succeeds."""

    def request(method: str, url: str, **more: Any) -> requests.Response:
        answer = route(url)
        time.sleep(min(answer.delay, limit, 0.05))
        if answer.delay >= limit:
            raise requests.Timeout("timed out")
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        response._content = answer.body
        return response

    def refresh_tokens(account: auth.Auth) -> dict[str, str]:
        account.tokens = {"access_token": "made-up", "id_token": "made-up", "refresh_token": "made-up"}
        return account.tokens

    patch.setattr(auth, "Cognito", Accounts)
    patch.setattr(auth.Auth, "refresh_tokens", refresh_tokens)
    patch.setattr(auth.Auth, "_decode_token", lambda self, token: {"exp": 4102444800})
    patch.setattr(auth.requests, "request", request)


RECORDINGS: Mapping[str, Recording] = {
    "energy_dashboard": Recording(
        options={},
        entity=f"{ROLE}/energy_dashboard/states.json",
        preferences=f"{ROLE}/energy_dashboard/preferences.json",
        # 400 W to the grid at one meter and 100 W from it at the other.
        value=-300.0,
        unit="W",
    ),
    "entity": Recording(
        options={
            "entity": "sensor.house_power",
            "energy_entity": "sensor.house_energy",
            "circuit_entities": ["sensor.washer_power", "sensor.dryer_power"],
        },
        entity=f"{ROLE}/entity/states.json",
        value=1250.0,
        unit="W",
        wrong_units=("EUR", "%", "EUR/kWh", "gCO2eq/kWh"),
    ),
    "sense": Recording(
        options={},
        entity=f"{ROLE}/sense/states.json",
        platform="sense",
        # The house uses 1800 W and the roof gives 2300 W.
        value=-500.0,
        unit="W",
    ),
    "emporia_vue": Recording(
        options={"username": "Anna@example.org", "password": "secret"},
        answers={
            "customers/devices": f"{ROLE}/emporia_vue/devices.json",
            "scale=1MIN": f"{ROLE}/emporia_vue/minute.json",
            "scale=1D": f"{ROLE}/emporia_vue/day.json",
        },
        library=emporia,
        # 0.02 kWh in a minute.
        value=1200.0,
        unit="W",
    ),
}
