"""Emporia's cloud through PyEmVue, which logs in and renews tokens: used in a thread, its failures in our words."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ..base import (
    Json,
    SourceBadAnswer,
    SourceError,
    SourceNoData,
    SourceRateLimited,
    SourceUnauthorized,
    SourceUnreachable,
)
from ..fetch import retry_after

DEVICES_EVERY: Final = timedelta(hours=12)
REPORTED_AFTER: Final = timedelta(seconds=30)
"""The newest seconds have not arrived at the cloud yet."""
HOST: Final = "Emporia"


class EmporiaAccount:
    """One account; its tokens are kept as long as the source runs, never written. All methods block."""

    def __init__(self, username: str, password: str) -> None:
        """Take the credentials; nothing is loaded yet."""
        self._credentials = (username, password)
        self._auth: Any = None
        self._devices: Json = None
        self._asked: datetime | None = None

    def devices(self, now: datetime, timeout: float) -> Json:
        """Return the account's devices, asked for twice a day.

        Raises:
            SourceError: by what went wrong; so do the other methods.
        """
        fresh = self._asked is not None and timedelta() <= now - self._asked < DEVICES_EVERY
        if self._devices is None or not fresh:
            self._devices = _told(lambda: self._get("customers/devices", timeout), now)
            self._asked = now
        return self._devices

    def usage(self, devices: Json, scale: str, now: datetime) -> Json:
        """Return the energy of all channels in the running `scale`, such as `1MIN` or `1D`."""
        gids = "+".join(str(gid) for gid in _gids(devices))
        if not gids:
            raise SourceNoData("the Emporia account has no devices")
        instant = (now - REPORTED_AFTER).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        path = (
            f"AppAPI?apiMethod=getDeviceListUsages&deviceGids={gids}&instant={instant}"
            f"&scale={scale}&energyUnit=KilowattHours"
        )
        return _told(lambda: self._get(path, 0.0), now)

    def _get(self, path: str, timeout: float) -> Json:
        if self._auth is None:
            self._auth = self._log_in(timeout)
        response = self._auth.request("get", path)
        response.raise_for_status()
        if response.status_code == 204:
            raise SourceNoData("Emporia has no data for this (HTTP 204)")
        answer: Json = response.json()
        return answer

    def _log_in(self, timeout: float) -> Any:
        from pyemvue.auth import Auth

        username, password = self._credentials
        auth = Auth(
            host="https://api.emporiaenergy.com",
            # Emporia's user pool knows addresses in lower case only.
            username=username.lower(),
            password=password,
            connect_timeout=timeout,
            read_timeout=timeout,
            # Failures are tried again by the frame, not in the thread.
            max_retry_attempts=1,
            max_retry_delay=0.0,
        )
        auth.refresh_tokens()
        return auth


def _gids(devices: Json) -> list[int]:
    rows = devices.get("devices") if isinstance(devices, dict) else None
    found = [row.get("deviceGid") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [gid for gid in found if isinstance(gid, int) and not isinstance(gid, bool)]


def _told(work: Callable[[], Json], now: datetime) -> Json:
    """Return what `work` returns.

    Raises:
        SourceError: whatever it raises, in our words.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    import requests

    try:
        return work()
    except requests.HTTPError as error:
        raise _refused(error.response, now) from None
    except requests.exceptions.JSONDecodeError:
        raise SourceBadAnswer(f"the answer of {HOST} is not JSON or cut off") from None
    except (requests.RequestException, BotoCoreError, OSError) as error:
        raise SourceUnreachable(f"{HOST} could not be reached ({type(error).__name__})") from None
    except ClientError as error:
        raise _not_logged_in(error) from None
    except SourceError:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise SourceBadAnswer(f"the answer of {HOST} is not as known ({type(error).__name__})") from None


def _refused(response: Any, now: datetime) -> SourceError:
    status = int(response.status_code)
    if status == 429:
        seconds = retry_after({str(name): str(value) for name, value in response.headers.items()}, now)
        return SourceRateLimited(f"{HOST} says there were too many requests", seconds)
    if status in {401, 403}:
        return SourceUnauthorized(f"{HOST} refused access (HTTP {status})")
    if status == 404:
        return SourceNoData(f"{HOST} has no data for this (HTTP 404)")
    if status >= 500:
        return SourceUnreachable(f"{HOST} has an error (HTTP {status})")
    return SourceBadAnswer(f"{HOST} did not accept the request (HTTP {status})")


def _not_logged_in(error: Any) -> SourceError:
    """Return what an error of Amazon Cognito means, where Emporia's accounts live."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in {"NotAuthorizedException", "UserNotFoundException", "PasswordResetRequiredException"}:
        return SourceUnauthorized(f"{HOST} does not accept the account or its password")
    if code in {"TooManyRequestsException", "LimitExceededException", "ThrottlingException"}:
        return SourceRateLimited(f"{HOST} says there were too many logins")
    return SourceUnreachable(f"{HOST} could not log in ({code or 'unknown'})")
