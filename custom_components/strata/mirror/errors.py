"""What can go wrong between us and a server, by what is to be done about it."""

from enum import StrEnum


class MirrorError(Exception):
    """A server did not do what it was asked; `str(error)` is safe to show and to log."""


class Obstacle(StrEnum):
    """Why a server could not be reached."""

    HOST = "host"
    """Its name does not resolve."""
    REFUSED = "refused"
    """Nothing listens there."""
    TLS = "tls"
    TIMEOUT = "timeout"
    """It accepted, and never answered."""
    NETWORK = "network"


class MirrorUnreachable(MirrorError):
    """There was no answer: trying again later may help."""

    def __init__(self, message: str, obstacle: Obstacle) -> None:
        """Keep what stood in the way."""
        super().__init__(message)
        self.obstacle = obstacle


class MirrorBusy(MirrorError):
    """The server cannot now (429 or 5xx); `retry_after` is in seconds where it said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Keep how long the server asked us to wait."""
        super().__init__(message)
        self.retry_after = retry_after


class Refusal(StrEnum):
    """Why a server will not take points until somebody mends something."""

    CREDENTIALS = "credentials"
    PERMISSION = "permission"
    MISSING = "missing"
    """The database, bucket, organisation or path is not there."""
    MAPPING = "mapping"
    """InfluxDB 2 has no DBRP mapping for the bucket."""


class MirrorRefused(MirrorError):
    """The server will not take anything (401, 403, 404): points wait, nothing is dropped."""

    def __init__(self, message: str, refusal: Refusal) -> None:
        """Keep what has to be mended."""
        super().__init__(message)
        self.refusal = refusal


class MirrorTooLarge(MirrorError):
    """The request is larger than the server takes (413): send less at once."""


class MirrorRejected(MirrorError):
    """Some of the lines are not acceptable (400, 422), and perhaps all were thrown away.

    `lines` holds the lines that the server named, with its reason for each.
    """

    def __init__(self, message: str, lines: dict[str, str] | None = None) -> None:
        """Keep which lines the server named."""
        super().__init__(message)
        self.lines = lines or {}


class MirrorQueryError(MirrorError):
    """The server did not understand a query or management request, or will not do it."""


class MirrorUnsupported(MirrorError):
    """This kind of server cannot do that, or it is too old."""
