"""The form of an archive target: a folder or a bucket, tried for real before it is saved."""

from collections.abc import Mapping
from pathlib import Path
import re
from typing import Any
from urllib.parse import urlsplit

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.helpers import selector as sel
import probatio

from ..archive.errors import Problem, TargetError
from ..archive.targets import TARGETS
from ..archive.targets.local import CONF_PATH, LocalTarget
from ..archive.targets.s3 import (
    CONF_ACCESS_KEY,
    CONF_BUCKET,
    CONF_ENCRYPTION,
    CONF_ENDPOINT,
    CONF_KMS_KEY,
    CONF_PREFIX,
    CONF_REGION,
    CONF_SECRET_KEY,
    CONF_STORAGE_CLASS,
    DEFAULT_STORAGE_CLASS,
    ENCRYPTIONS,
    STORAGE_CLASSES,
    S3Target,
)
from ..archive_set import archives_of, is_early
from ..archive_threads import SCRATCH_FOLDER
from ..const import CONF_EARLY, CONF_TARGET, STORE_FOLDER, SUBENTRY_ARCHIVE
from ..dependencies import DependencyMissing, async_require

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SECRETS = (CONF_SECRET_KEY,)
_FIELDS: Mapping[str, Mapping[Problem, str]] = {
    LocalTarget.key: dict.fromkeys(
        (
            Problem.NOT_A_FOLDER,
            Problem.NOT_MOUNTED,
            Problem.MOUNT_MISSING,
            Problem.NOT_WRITABLE,
            Problem.NOT_FOUND,
            Problem.NO_SPACE,
        ),
        CONF_PATH,
    ),
    S3Target.key: {
        Problem.NO_BUCKET: CONF_BUCKET,
        Problem.UNAUTHORIZED: CONF_ACCESS_KEY,
        Problem.NOT_ENCRYPTED: CONF_ENCRYPTION,
    },
}
"""The field that a problem is about, by kind of target; others concern the form as a whole."""


class ArchiveFlow(ConfigSubentryFlow):
    """Add an archive target, or change one."""

    _doubtful: Mapping[str, Any]
    """A folder that may be the empty one of a share that is not mounted: it is asked about before anything is done."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask which kind."""
        return self.async_show_menu(step_id="user", menu_options=[*TARGETS])

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Change a target that is there; its kind stays."""
        kind = self._get_reconfigure_subentry().data[CONF_TARGET]
        return await (self.async_step_s3() if kind == S3Target.key else self.async_step_local())

    async def async_step_local(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a folder."""
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        if user_input is not None:
            data = {**user_input, CONF_TARGET: LocalTarget.key, CONF_PATH: user_input[CONF_PATH].strip()}
            if not Path(data[CONF_PATH]).is_absolute():
                errors[CONF_PATH] = "path_not_absolute"
            elif await self._may_be_unmounted(data, errors, placeholders):
                self._doubtful = data
                return self.async_show_form(step_id="local_confirm", description_placeholders={"path": data[CONF_PATH]})
            elif not errors and await self._works(data, errors, placeholders):
                return self._save(data, data[CONF_PATH], data[CONF_PATH].rstrip("/"))
        return self._local_form(user_input or self._shown(), errors, placeholders)

    async def async_step_local_confirm(self, _user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Go on: the user says that the folder is the one that is meant."""
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        data = dict(self._doubtful)
        if await self._works(data, errors, placeholders):
            return self._save(data, data[CONF_PATH], data[CONF_PATH].rstrip("/"))
        return self._local_form(data, errors, placeholders)

    def _local_form(
        self, shown: Mapping[str, Any], errors: dict[str, str], placeholders: dict[str, str]
    ) -> SubentryFlowResult:
        return self.async_show_form(
            step_id="local",
            data_schema=self.add_suggested_values_to_schema(_local_schema(self._early), shown),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def async_step_s3(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a bucket."""
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        if user_input is not None:
            data = self._entered(user_input)
            errors |= _mistakes(data)
            if not errors and await self._works(data, errors, placeholders):
                place = urlsplit(data[CONF_ENDPOINT]).hostname if CONF_ENDPOINT in data else "S3"
                name = "/".join(part for part in (data[CONF_BUCKET], data.get(CONF_PREFIX, "").strip("/")) if part)
                return self._save(data, f"{place} {name}", f"{data.get(CONF_ENDPOINT, '')}:{name}")
        return self.async_show_form(
            step_id="s3",
            data_schema=self.add_suggested_values_to_schema(
                _s3_schema(secret_required=self._current is None, early=self._early), user_input or self._shown()
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _entered(self, user_input: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was entered; a secret that was left empty stays what it was."""
        entered = {key: value.strip() if isinstance(value, str) else value for key, value in user_input.items()}
        if self._current is not None:
            for key in _SECRETS:
                entered[key] = entered.get(key) or self._current.data.get(key)
        return {CONF_TARGET: S3Target.key, **{key: value for key, value in entered.items() if value not in {None, ""}}}

    async def _may_be_unmounted(
        self, data: Mapping[str, Any], errors: dict[str, str], placeholders: dict[str, str]
    ) -> bool:
        """Tell whether to ask about a folder before it is marked as the archive."""
        if self._is_known(data):
            return False
        target, home = LocalTarget.of(data), Path(self.hass.config.config_dir)
        try:
            return await self.hass.async_add_executor_job(target.may_be_unmounted, home)
        except TargetError as error:
            errors[_FIELDS[LocalTarget.key].get(error.problem, "base")] = error.problem
            placeholders["reason"] = str(error)
            return False

    async def _works(self, data: Mapping[str, Any], errors: dict[str, str], placeholders: dict[str, str]) -> bool:
        kind = TARGETS[data[CONF_TARGET]]
        scratch = Path(self.hass.config.path(STORE_FOLDER, f"{SCRATCH_FOLDER}_trial"))
        known = self._is_known(data)

        def check() -> None:
            target = kind.of(data)
            try:
                target.check(scratch, known=known)
            finally:
                target.close()
                if scratch.is_dir():
                    scratch.rmdir()

        try:
            for feature in ("parquet", *kind.features):
                await async_require(self.hass, feature)
            await self.hass.async_add_executor_job(check)
        except DependencyMissing as error:
            errors["base"] = "dependency_missing"
            placeholders["reason"] = ", ".join(error.packages)
        except TargetError as error:
            errors[_FIELDS[kind.key].get(error.problem, "base")] = error.problem
            placeholders["reason"] = str(error)
        return not errors

    def _is_known(self, data: Mapping[str, Any]) -> bool:
        """Tell whether the place was set up before, or has to have what is archived: a share that is not mounted."""
        if self._current is None:
            return False
        if data.get(CONF_PATH) == self._current.data.get(CONF_PATH):
            return True
        entry = self._get_entry()
        archive = (
            entry.runtime_data.archives.running.get(self._current.subentry_id)
            if entry.state is ConfigEntryState.LOADED
            else None
        )
        return archive is None or bool(archive.data.months or archive.data.raw_days)

    def _save(self, data: dict[str, Any], title: str, place: str) -> SubentryFlowResult:
        unique_id = f"{data[CONF_TARGET]}:{place}"
        current = self._current
        others = self._get_entry().get_subentries_of_type(SUBENTRY_ARCHIVE)
        if unique_id in {other.unique_id for other in others if other is not current}:
            return self.async_abort(reason="already_configured")
        if current is None:
            return self.async_create_entry(title=title, data=data, unique_id=unique_id)
        return self.async_update_and_abort(self._get_entry(), current, data=data, unique_id=unique_id)

    def _shown(self) -> dict[str, Any]:
        if self._current is None:
            return {CONF_STORAGE_CLASS: DEFAULT_STORAGE_CLASS, CONF_ENCRYPTION: ENCRYPTIONS[0]}
        return {key: value for key, value in self._current.data.items() if key not in _SECRETS}

    @property
    def _early(self) -> bool:
        """Whether months are archived as soon as they are over, unless the user says otherwise; new archives do so."""
        return is_early(self._current, archives_of(self._get_entry().options))

    @property
    def _current(self) -> ConfigSubentry | None:
        """The target that is changed, None when one is added."""
        return self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None


def _mistakes(data: Mapping[str, Any]) -> dict[str, str]:
    mistakes: dict[str, str] = {}
    if not _BUCKET.fullmatch(data[CONF_BUCKET]):
        mistakes[CONF_BUCKET] = "invalid_bucket"
    if CONF_ENDPOINT in data and not _is_url(data[CONF_ENDPOINT]):
        mistakes[CONF_ENDPOINT] = "invalid_url"
    return mistakes


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        )
    except ValueError:
        return False


def _local_schema(early: bool) -> probatio.Schema:  # noqa: FBT001 - what the field begins with
    return probatio.Schema({probatio.Required(CONF_PATH): sel.TextSelector(), **_early(early)})


def _s3_schema(*, secret_required: bool, early: bool) -> probatio.Schema:
    password = sel.TextSelector(sel.TextSelectorConfig(type=sel.TextSelectorType.PASSWORD))
    secret = probatio.Secret(CONF_SECRET_KEY)
    return probatio.Schema(
        {
            probatio.Optional(CONF_ENDPOINT): sel.TextSelector(sel.TextSelectorConfig(type=sel.TextSelectorType.URL)),
            probatio.Optional(CONF_REGION): sel.TextSelector(),
            probatio.Required(CONF_BUCKET): sel.TextSelector(),
            probatio.Optional(CONF_PREFIX): sel.TextSelector(),
            probatio.Required(CONF_ACCESS_KEY): sel.TextSelector(),
            (probatio.Required if secret_required else probatio.Optional)(secret): password,
            probatio.Required(CONF_STORAGE_CLASS): _choice(STORAGE_CLASSES),
            probatio.Required(CONF_ENCRYPTION): _choice(ENCRYPTIONS),
            probatio.Optional(CONF_KMS_KEY): sel.TextSelector(),
            **_early(early),
        }
    )


def _early(early: bool) -> dict[Any, Any]:  # noqa: FBT001 - what the field begins with
    """Return the field that every kind has."""
    return {probatio.Required(CONF_EARLY, default=early): sel.BooleanSelector()}


def _choice(options: tuple[str, ...]) -> sel.SelectSelector:
    """Return a choice between what S3 itself calls by these names."""
    return sel.SelectSelector(sel.SelectSelectorConfig(options=list(options), mode=sel.SelectSelectorMode.DROPDOWN))
