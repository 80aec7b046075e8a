"""The form of a mirror: where it is, what it gets; tried for real before it is saved."""

from collections.abc import Mapping
import re
from typing import Any
from urllib.parse import urlsplit

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigSubentry, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.helpers import selector as sel
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util
import probatio

from ..const import (
    CONF_CONTENTS,
    CONF_CREATED,
    CONF_DATABASE,
    CONF_HISTORY,
    CONF_NATIVE_WRITE,
    CONF_ORG,
    CONF_PER_TIER,
    CONF_SECRET,
    CONF_SERVER,
    CONF_URL,
    CONF_USE_EXISTING,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
    CONF_VERSION,
    DOMAIN,
    HISTORIES,
    HISTORY_NOW,
    SUBENTRY_MIRROR,
)
from ..core.model import to_micros
from ..mirror.check import CheckError, CheckReport, check, problem_of
from ..mirror.errors import MirrorError
from ..mirror.influx import InfluxClient
from ..mirror.selection import Content
from ..mirror.servers import detect
from ..mirror.servers.base import Server
from ..mirror_coordinator import connection_of, contents_of, layout_of
from ..runtime import ladder_of

DEFAULT_DATABASE = "strata"
_DATABASE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_CONNECTION = (CONF_URL, CONF_USERNAME, CONF_SECRET, CONF_ORG, CONF_VERIFY_SSL)


class MirrorFlow(ConfigSubentryFlow):
    """Add a mirror, or change one."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._connection: dict[str, Any] = {}
        self._server: Server
        self._made: dict[str, set[str]] = {}
        """By address, the databases that tries have made which did not end with a mirror."""

    # Connection

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask where the server is, and find out what it is."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            self._connection = self._entered(user_input)
            if not _is_url(self._connection[CONF_URL]):
                errors[CONF_URL] = "invalid_url"
            elif await self._found(errors, placeholders):
                return await self.async_step_contents()
        return self.async_show_form(
            step_id=self._first_step,
            data_schema=self.add_suggested_values_to_schema(
                _connection_schema(), user_input or self._shown_connection()
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Change a mirror that is there."""
        return await self.async_step_user(user_input)

    @property
    def _first_step(self) -> str:
        return "reconfigure" if self.source == SOURCE_RECONFIGURE else "user"

    def _entered(self, user_input: Mapping[str, Any]) -> dict[str, Any]:
        """Return the connection as entered; a secret that was left empty stays what it was."""
        entered = {key: value.strip() if isinstance(value, str) else value for key, value in user_input.items()}
        current = self._current
        if not entered.get(CONF_SECRET) and current is not None and CONF_SECRET in current.data:
            entered[CONF_SECRET] = current.data[CONF_SECRET]
        return {key: entered[key] for key in _CONNECTION if entered.get(key) not in (None, "")}

    def _shown_connection(self) -> dict[str, Any]:
        current = self._current
        if current is None:
            return {}
        return {key: current.data[key] for key in _CONNECTION if key in current.data and key != CONF_SECRET}

    async def _found(self, errors: dict[str, str], placeholders: dict[str, str]) -> bool:
        session = async_get_clientsession(self.hass, self._connection[CONF_VERIFY_SSL])
        try:
            self._server = await detect(InfluxClient(session, connection_of(self._connection)))
        except MirrorError as error:
            errors["base"] = problem_of(error)
            placeholders |= {"reason": str(error), "database": ""}
            return False
        return True

    # What it gets

    async def async_step_contents(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what is mirrored and into which databases, and try it."""
        errors: dict[str, str] = {}
        placeholders = {"server": await self._name(), "version": self._server.version or "–"}
        if user_input is not None:
            data = {CONF_PER_TIER: True, CONF_USE_EXISTING: False, **self._connection, **user_input}
            data[CONF_DATABASE] = data[CONF_DATABASE].strip()
            if not data[CONF_CONTENTS]:
                errors[CONF_CONTENTS] = "no_contents"
            elif not _DATABASE.fullmatch(data[CONF_DATABASE]):
                errors[CONF_DATABASE] = "invalid_database"
            elif _unique_id(data) in self._taken_ids():
                return self.async_abort(reason="already_configured")
            elif (report := await self._tried(data, errors, placeholders)) is not None:
                return await self._save(data, report)
        shown = user_input or self._shown_contents()
        return self.async_show_form(
            step_id="contents",
            data_schema=self.add_suggested_values_to_schema(self._contents_schema(), shown),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _contents_schema(self) -> probatio.Schema:
        fields: dict[Any, Any] = {
            probatio.Required(CONF_CONTENTS): _choice(
                "mirror_content", [each.value for each in Content], multiple=True
            ),
            probatio.Required(CONF_DATABASE): sel.TextSelector(),
        }
        if self._server.has_databases:
            fields[probatio.Required(CONF_PER_TIER)] = sel.BooleanSelector()
            fields[probatio.Required(CONF_USE_EXISTING)] = sel.BooleanSelector()
        if self._current is None:
            fields[probatio.Required(CONF_HISTORY)] = _choice("mirror_history", list(HISTORIES), multiple=False)
        return probatio.Schema(fields)

    def _shown_contents(self) -> dict[str, Any]:
        defaults = {
            CONF_CONTENTS: [each.value for each in Content],
            CONF_DATABASE: DEFAULT_DATABASE,
            CONF_PER_TIER: True,
            CONF_USE_EXISTING: False,
            CONF_HISTORY: HISTORY_NOW,
        }
        return defaults if self._current is None else {**defaults, **self._current.data}

    async def _tried(
        self, data: Mapping[str, Any], errors: dict[str, str], placeholders: dict[str, str]
    ) -> CheckReport | None:
        try:
            return await check(
                async_get_clientsession(self.hass, data[CONF_VERIFY_SSL]),
                connection_of(data),
                layout_of(data).databases(contents_of(data), ladder_of(self._get_entry().options)),
                now=to_micros(dt_util.utcnow()),
                ours=self._ours,
                use_existing=data[CONF_USE_EXISTING],
            )
        except CheckError as error:
            self._made.setdefault(data[CONF_URL], set()).update(error.created)
            errors["base"] = error.problem
            placeholders |= {"reason": str(error), "database": error.database}
            return None

    async def _save(self, data: dict[str, Any], report: CheckReport) -> SubentryFlowResult:
        data |= {
            CONF_SERVER: report.server,
            CONF_VERSION: report.version,
            CONF_NATIVE_WRITE: report.native_write,
            CONF_CREATED: sorted({*self._ours, *report.created}),
        }
        current = self._current
        if current is None:
            title = f"{await self._name()} {urlsplit(data[CONF_URL]).hostname}"
            return self.async_create_entry(title=title, data=data, unique_id=_unique_id(data))
        data[CONF_HISTORY] = current.data.get(CONF_HISTORY, HISTORY_NOW)
        return self.async_update_and_abort(self._get_entry(), current, data=data, unique_id=_unique_id(data))

    # What is there already

    @property
    def _current(self) -> ConfigSubentry | None:
        """The mirror that is changed, None when one is added."""
        return self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None

    @property
    def _ours(self) -> frozenset[str]:
        """The databases that were made for this mirror; those of another server are not its own."""
        url, current = self._connection[CONF_URL], self._current
        ours = frozenset(self._made.get(url, ()))
        if current is None or current.data[CONF_URL] != url:
            return ours
        return ours | frozenset(current.data.get(CONF_CREATED, ()))

    def _taken_ids(self) -> set[str | None]:
        current = self._current
        others = self._get_entry().get_subentries_of_type(SUBENTRY_MIRROR)
        return {other.unique_id for other in others if other is not current}

    async def _name(self) -> str:
        names = await async_get_translations(self.hass, self.hass.config.language, "selector", {DOMAIN})
        return names.get(f"component.{DOMAIN}.selector.mirror_server.options.{self._server.key}", self._server.key)


def _connection_schema() -> probatio.Schema:
    secret = sel.TextSelector(sel.TextSelectorConfig(type=sel.TextSelectorType.PASSWORD))
    return probatio.Schema(
        {
            probatio.Required(CONF_URL): sel.TextSelector(sel.TextSelectorConfig(type=sel.TextSelectorType.URL)),
            probatio.Optional(CONF_USERNAME): sel.TextSelector(),
            probatio.Optional(probatio.Secret(CONF_SECRET)): secret,
            probatio.Optional(CONF_ORG): sel.TextSelector(),
            probatio.Required(CONF_VERIFY_SSL, default=True): sel.BooleanSelector(),
        }
    )


def _choice(key: str, options: list[str], *, multiple: bool) -> sel.SelectSelector:
    return sel.SelectSelector(
        sel.SelectSelectorConfig(
            options=options, translation_key=key, multiple=multiple, mode=sel.SelectSelectorMode.LIST
        )
    )


def _is_url(text: str) -> bool:
    """Tell whether this is the address of a server; credentials have fields of their own."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and parts.port != 0
            and not {"?", "#"} & {*text}
        )
    except ValueError:
        return False


def _unique_id(data: Mapping[str, Any]) -> str:
    return f"{data[CONF_URL].rstrip('/')}:{data[CONF_DATABASE]}"
