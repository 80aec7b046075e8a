"""How actions and the API say no: a translated reason, and whether something is just not there."""

from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import service

from .const import DOMAIN

if TYPE_CHECKING:
    from .runtime import StrataConfigEntry


class NotThere(ServiceValidationError):
    """What was asked for does not exist; over REST this is a 404."""


def hub_of(hass: HomeAssistant) -> StrataConfigEntry:
    """Return the hub.

    Raises:
        ServiceValidationError: it is not set up.
    """
    entry: StrataConfigEntry = service.async_get_config_entry(hass, DOMAIN, None)
    return entry


def store_failed(error: Exception) -> HomeAssistantError:
    """Return what is said when the store, or a file that is made of it, cannot be read or written."""
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key="store_failed", translation_placeholders={"reason": str(error)}
    )


def refusal(key: str, **placeholders: str) -> ServiceValidationError:
    """Return the error that refuses what the caller asked for; `key` is that of its text."""
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders or None
    )


def not_there(key: str, **placeholders: str) -> NotThere:
    """Return the error that says that what the caller named does not exist."""
    return NotThere(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders or None)
