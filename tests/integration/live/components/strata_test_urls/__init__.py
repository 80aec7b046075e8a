"""Leads Strata's sources to loopback in a Home Assistant that a test has started.

Its configuration is the mapping that `BASE_URLS` holds. Strata looks there with each fetch; after a restart it is
served from its last good readings, so it does not matter which of the two is set up first.
"""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType
from homeassistant.util.hass_dict import HassKey

BASE_URLS: HassKey[dict[str, str]] = HassKey("strata.base_urls")


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Take over the base URLs of configuration.yaml."""
    hass.data[BASE_URLS] = dict(config["strata_test_urls"])
    return True
