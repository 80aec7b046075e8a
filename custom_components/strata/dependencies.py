"""Libraries that only some features need: installed when such a feature is set up, and looked for before each use.

Ranges are open and hold the versions that Home Assistant pins, because a pin of our own would break other people's
integrations. The libraries are large; whoever uses one imports it in the function that runs off the event loop.
"""

from collections.abc import Iterable, Mapping
import re
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.requirements import RequirementsNotFound, async_process_requirements

from .const import DOMAIN

FEATURES: Final[Mapping[str, tuple[str, ...]]] = {
    "parquet": ("pyarrow>=20",),
    "s3": ("boto3>=1.34",),
    "scientific": ("scipy>=1.14",),
    "learning": ("scikit-learn>=1.5",),
    "frames": ("pandas>=2.2",),
    "google_calendar": ("google-api-python-client>=2.100", "google-auth>=2.0"),
    "emporia": ("pyemvue>=0.18",),
    "influxdb2": ("influxdb-client>=1.40",),
}
"""What a feature needs beside the requirements of the manifest."""

DEPENDENCY_MISSING = "dependency_missing"

_NAME = re.compile(r"[A-Za-z0-9._-]+")


class DependencyMissing(HomeAssistantError):
    """A library that a feature needs could not be installed."""

    def __init__(self, packages: Iterable[str]) -> None:
        """Name the packages that are missing."""
        self.packages = tuple(packages)
        super().__init__(
            translation_domain=DOMAIN,
            translation_key=DEPENDENCY_MISSING,
            translation_placeholders={"packages": ", ".join(self.packages)},
        )


async def async_require(hass: HomeAssistant, needed: str | Iterable[str]) -> None:
    """Make sure that what a feature needs is installed.

    What is there already costs nothing. What cannot be installed becomes a repair issue, which is taken back as soon
    as the same need is met.

    Args:
        hass: Home Assistant.
        needed: the name of a feature, or requirements such as `("pyarrow>=20",)`.

    Raises:
        DependencyMissing: something could not be installed; Home Assistant tries again after a restart.
        KeyError: there is no such feature.
    """
    requirements = FEATURES[needed] if isinstance(needed, str) else tuple(needed)
    missing = []
    for requirement in requirements:
        # One by one, so that each has an issue of its own and one failure hides no other.
        try:
            await async_process_requirements(hass, DOMAIN, [requirement], is_built_in=False)
        except RequirementsNotFound:
            missing.append(_package(requirement))
            _async_report_missing(hass, _package(requirement))
        else:
            ir.async_delete_issue(hass, DOMAIN, _issue_id(_package(requirement)))
    if missing:
        raise DependencyMissing(missing)


@callback
def _async_report_missing(hass: HomeAssistant, package: str) -> None:
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(package),
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key=DEPENDENCY_MISSING,
        translation_placeholders={"packages": package},
    )


def _package(requirement: str) -> str:
    """Return the name in front of a requirement's versions."""
    found = _NAME.match(requirement)
    return found[0] if found else requirement


def _issue_id(package: str) -> str:
    return f"{DEPENDENCY_MISSING}_{package}"
