"""Names shared by the Home Assistant side of Strata."""

import logging
from typing import Final

from homeassistant.const import Platform
from homeassistant.util.hass_dict import HassKey

DOMAIN: Final = "strata"
LOGGER = logging.getLogger(__package__)

PLATFORMS: Final = (Platform.BINARY_SENSOR, Platform.SENSOR)

TITLE: Final = "Strata"

SUBENTRY_SOURCE: Final = "source"

# A source subentry's data.
CONF_ROLE: Final = "role"
CONF_PROVIDER: Final = "provider"
CONF_OPTIONS: Final = "options"
CONF_RANK: Final = "rank"

# The hub's options beside those of the ingest filter: days each tier is kept, by tier name.
CONF_KEEP: Final = "keep"

STORE_FOLDER: Final = "strata"
STORE_FILE: Final = "strata.db"

BASE_URLS: HassKey[dict[str, str]] = HassKey(f"{DOMAIN}.base_urls")
"""Base URLs to use instead of a provider's own, by `<role>.<provider>`."""
