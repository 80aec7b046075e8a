"""Google's client library for calendars: made and used in a thread, its failures in our words."""

from collections.abc import Mapping
from datetime import datetime
import json
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

TOKEN_ADDRESS: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_LIMITS: Final = ("rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "usageLimits")
"""What a 403 says when it is about the number of requests, not about rights."""


class CalendarService:
    """Lists events with an OAuth client; the access token is kept as long as the source runs, never written."""

    def __init__(self, client_id: str, client_secret: str, refresh_token: str) -> None:
        """Take the credentials; nothing is loaded yet."""
        self._client = (client_id, client_secret, refresh_token)
        self._credentials: Any = None

    def pages(self, asked: Mapping[str, Any], *, timeout: float, now: datetime, most: int) -> list[Json]:
        """Return the pages of events that answer `asked`, at most `most`; it blocks.

        Raises:
            SourceError: by what went wrong.
        """
        from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
        from googleapiclient.errors import Error, HttpError
        import httplib2

        try:
            return self._read(asked, timeout, most)
        except HttpError as error:
            raise _refused(error, now) from None
        except RefreshError as error:
            raise _not_renewed(error) from None
        except (TransportError, httplib2.HttpLib2Error, OSError) as error:
            raise SourceUnreachable(f"Google could not be reached ({type(error).__name__})") from None
        except (Error, GoogleAuthError, ValueError, RecursionError) as error:
            raise SourceBadAnswer(f"Google's answer is not as documented ({type(error).__name__})") from None

    def _read(self, asked: Mapping[str, Any], timeout: float, most: int) -> list[Json]:
        from google.oauth2.credentials import Credentials
        from google_auth_httplib2 import AuthorizedHttp
        from googleapiclient.discovery import build
        import httplib2

        if self._credentials is None:
            client_id, client_secret, refresh_token = self._client
            self._credentials = Credentials(  # type: ignore[no-untyped-call]
                None,
                refresh_token=refresh_token,
                token_uri=TOKEN_ADDRESS,
                client_id=client_id,
                client_secret=client_secret,
            )
        http = AuthorizedHttp(self._credentials, http=httplib2.Http(timeout=timeout))
        # The library brings the description of the API along: nothing is asked to learn it.
        service = build("calendar", "v3", http=http, static_discovery=True, cache_discovery=False)
        pages: list[Json] = []
        request = service.events().list(**asked)
        while request is not None and len(pages) < most:
            page = request.execute(num_retries=0)
            pages.append(page)
            # What is no page has no next one either.
            request = service.events().list_next(request, page) if isinstance(page, dict) else None
        return pages


def _refused(error: Any, now: datetime) -> SourceError:
    """Return what an HTTP status of Google means."""
    status = int(error.resp.status)
    headers = {str(name): str(value) for name, value in error.resp.items()}
    if status == 429 or (status == 403 and any(reason in _text(error) for reason in _LIMITS)):
        return SourceRateLimited("Google says there were too many requests", retry_after(headers, now))
    if status in {401, 403}:
        return SourceUnauthorized(f"Google refused access (HTTP {status})")
    if status == 404:
        return SourceNoData("Google knows no such calendar of this account (HTTP 404)")
    if status >= 500:
        return SourceUnreachable(f"Google has an error (HTTP {status})")
    return SourceBadAnswer(f"Google did not accept the request (HTTP {status})")


def _text(error: Any) -> str:
    return bytes(error.content or b"").decode(errors="replace")


def _not_renewed(error: Any) -> SourceError:
    """Return what it means that no access token was given for the refresh token."""
    if getattr(error, "retryable", False):
        return SourceUnreachable("Google could not renew the access token for now")
    said = json.dumps(error.args, default=str)
    if "invalid_grant" in said:
        return SourceUnauthorized("the refresh token is no longer valid (invalid_grant)")
    return SourceUnauthorized("Google does not accept the client ID, client secret or refresh token")
