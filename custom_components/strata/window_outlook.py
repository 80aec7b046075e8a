"""What windows are chosen by in this home: the forecasts of its sources, and of its roof."""

from collections.abc import Mapping

from homeassistant.core import HomeAssistant

from .api.forecast import forecast_of_role
from .core.model import Forecast
from .core.outlook import Aim, Outlook
from .runtime import StrataData
from .solar_forecast import async_solar_forecast

AIM_ROLES: Mapping[Aim, str] = {
    Aim.PRICE: "electricity_pricing",
    Aim.CARBON: "carbon_intensity",
    Aim.SOLAR: "solar_production",
}
"""The role whose main forecast speaks for an aim. Without one, the sun is that of the Energy dashboard."""


async def async_outlook(
    hass: HomeAssistant,
    data: StrataData,
    chosen: Mapping[Aim, Forecast] | None = None,
    *,
    export_price: float = 0.0,
    house_watts: float = 0.0,
) -> Outlook:
    """Return what is foreseen now; `chosen` forecasts take the place of those of the first source of their role."""
    found = {aim: forecast_of_role(data, role) for aim, role in AIM_ROLES.items()} | dict(chosen or {})
    return Outlook(
        price=found[Aim.PRICE],
        carbon=found[Aim.CARBON],
        solar=found[Aim.SOLAR] or await async_solar_forecast(hass),
        export_price=export_price,
        house_watts=house_watts,
    )
