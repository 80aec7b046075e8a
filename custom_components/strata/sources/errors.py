"""Why a source gave no reading; the text of each is safe to show and to log."""


class SourceError(Exception):
    """A source gave no reading; `str(error)` is safe to show and to log."""


class SourceUnreachable(SourceError):
    """No connection, a timeout, or a server error: trying again later may help."""


class SourceUnauthorized(SourceError):
    """The credentials were refused: only the user can mend that."""


class SourceRateLimited(SourceError):
    """Too many requests; `retry_after` is in seconds, None when the server did not say."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Keep how long the server asked us to wait."""
        super().__init__(message)
        self.retry_after = retry_after


class SourceNoData(SourceError):
    """The source answered that it has nothing for this place or time."""


class SourceBadAnswer(SourceError):
    """The answer does not have the documented shape, unit or currency."""
