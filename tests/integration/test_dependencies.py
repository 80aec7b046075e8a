"""Libraries that only some features need: found, missing, and said so."""

from pathlib import Path
import re
from unittest.mock import patch

from homeassistant import requirements as ha_requirements
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from packaging.requirements import Requirement
import pytest

from custom_components.strata.const import DOMAIN
from custom_components.strata.dependencies import FEATURES, DependencyMissing, async_require

ALL = sorted({requirement for feature in FEATURES.values() for requirement in feature})


def _pins() -> dict[str, str]:
    path = Path(ha_requirements.__file__).parent / ha_requirements.CONSTRAINT_FILE
    lines = path.read_text(encoding="utf-8").splitlines()
    return {found[1].lower(): found[2] for line in lines if (found := re.match(r"([\w.-]+)==(\S+)", line))}


@pytest.mark.parametrize("requirement", ALL)
def test_a_range_is_open_and_holds_the_version_home_assistant_pins(requirement: str) -> None:
    parsed = Requirement(requirement)
    assert {specifier.operator for specifier in parsed.specifier} == {">="}
    pin = _pins().get(parsed.name.lower())
    assert pin is None or parsed.specifier.contains(pin)


@pytest.mark.parametrize("feature", FEATURES)
async def test_what_is_installed_is_found(hass: HomeAssistant, feature: str) -> None:
    await async_require(hass, feature)
    assert not [issue for issue in ir.async_get(hass).issues if issue[0] == DOMAIN]


async def test_an_unknown_feature_is_a_mistake_of_ours(hass: HomeAssistant) -> None:
    with pytest.raises(KeyError):
        await async_require(hass, "teleport")


async def test_what_is_missing_is_named_and_the_issue_goes_when_it_is_there(hass: HomeAssistant) -> None:
    def installed(requirement: str) -> bool:
        return requirement.startswith("boto3")

    with (
        patch("homeassistant.requirements.pkg_util.is_installed", side_effect=installed),
        patch("homeassistant.requirements._install_with_retry", return_value=False) as install,
        pytest.raises(DependencyMissing) as error,
    ):
        await async_require(hass, ("pyarrow>=20", "boto3>=1.34"))
    assert error.value.packages == ("pyarrow",)
    assert install.call_count == 1
    issues = ir.async_get(hass)
    issue = issues.async_get_issue(DOMAIN, "dependency_missing_pyarrow")
    assert issue is not None
    assert issue.translation_placeholders == {"packages": "pyarrow"}
    assert issues.async_get_issue(DOMAIN, "dependency_missing_boto3") is None

    with pytest.raises(DependencyMissing):
        await async_require(hass, "parquet")  # Home Assistant remembers the failure.
    ha_requirements.async_clear_install_history(hass)  # As a restart does.
    await async_require(hass, "parquet")
    assert issues.async_get_issue(DOMAIN, "dependency_missing_pyarrow") is None
