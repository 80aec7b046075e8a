"""Names shared by the Home Assistant side of Strata."""

import logging
from typing import Final

from homeassistant.const import Platform
from homeassistant.util.hass_dict import HassKey

DOMAIN: Final = "strata"
LOGGER = logging.getLogger(__package__)

PLATFORMS: Final = (Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR)

TITLE: Final = "Strata"

SUBENTRY_SOURCE: Final = "source"
SUBENTRY_MIRROR: Final = "mirror"
SUBENTRY_ARCHIVE: Final = "archive"
SUBENTRY_WINDOW: Final = "window"

# A source subentry's data.
CONF_ROLE: Final = "role"
CONF_PROVIDER: Final = "provider"
CONF_OPTIONS: Final = "options"
CONF_RANK: Final = "rank"
CONF_DETAILS: Final = "details"

# A mirror subentry's data.
CONF_URL: Final = "url"
CONF_USERNAME: Final = "username"
CONF_SECRET: Final = "secret"  # noqa: S105 - the name of a field
CONF_ORG: Final = "org"
CONF_VERIFY_SSL: Final = "verify_ssl"
CONF_CONTENTS: Final = "contents"
CONF_DATABASE: Final = "database"
CONF_PER_TIER: Final = "per_tier"
CONF_USE_EXISTING: Final = "use_existing"
CONF_HISTORY: Final = "history"
CONF_SERVER: Final = "server"
CONF_VERSION: Final = "version"
CONF_NATIVE_WRITE: Final = "native_write"
CONF_CREATED: Final = "created"
HISTORY_NOW: Final = "now"
HISTORY_EVERYTHING: Final = "everything"
HISTORIES: Final = (HISTORY_NOW, HISTORY_EVERYTHING)

# The hub's options beside those of the ingest filter: days each tier is kept, by tier name.
CONF_KEEP: Final = "keep"
# And what the page about retention says, under one key.
CONF_RETENTION: Final = "retention"

# An archive subentry's kind of target, and the hub's options about archives.
CONF_TARGET: Final = "target"
CONF_ARCHIVES: Final = "archives"
CONF_COMPRESSION: Final = "compression"
CONF_EARLY: Final = "early"
CONF_RAW_ROWS: Final = "raw_rows"
CONF_KEEP_YEARS: Final = "keep_years"

STORE_FOLDER: Final = "strata"
STORE_FILE: Final = "strata.db"

BASE_URLS: HassKey[dict[str, str]] = HassKey(f"{DOMAIN}.base_urls")
"""Base URLs to use instead of a provider's own, by `<role>.<provider>`."""
