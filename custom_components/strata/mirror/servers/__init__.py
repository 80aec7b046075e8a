"""The kinds of servers a mirror can write to, and finding out which one answers."""

from ..errors import MirrorRefused, MirrorUnsupported, Refusal
from ..influx import InfluxClient, Scheme
from .base import Server, Signs
from .cloud import InfluxDBCloud
from .influx1 import InfluxDB1
from .influx2 import InfluxDB2
from .influx3 import InfluxDB3
from .victoria_metrics import VictoriaMetrics

SERVERS: tuple[type[Server], ...] = (InfluxDBCloud, InfluxDB3, InfluxDB2, VictoriaMetrics, InfluxDB1)
"""Asked in this order: VictoriaMetrics may claim to be an InfluxDB 1."""

_DENIED = frozenset({401, 403})


def server_kind(key: str) -> type[Server]:
    """Return the kind of server called `key`.

    Raises:
        KeyError: there is no such kind.
    """
    for kind in SERVERS:
        if kind.key == key:
            return kind
    raise KeyError(f"there is no kind of server {key!r}")


async def detect(client: InfluxClient) -> Server:
    """Return the server that answers, of the kind it is.

    Raises:
        MirrorUnreachable: there was no answer.
        MirrorRefused: it tells nobody without credentials (InfluxDB 3).
        MirrorUnsupported: whatever answers is none of the kinds we know.
    """
    ping = await client.request("GET", "/ping")
    if ping.status in _DENIED and client.connection.secret:
        ping = await client.request("GET", "/ping", scheme=Scheme.BEARER)
    if ping.status in _DENIED:
        raise MirrorRefused(ping.message, Refusal.CREDENTIALS)
    information = (await client.request("GET", "/api/v1/status/buildinfo")).json()
    prometheus = isinstance(information, dict) and information.get("status") == "success"
    signs = Signs(client.connection.url, ping, prometheus)
    for kind in SERVERS:
        if kind.recognises(signs):
            return kind(client, signs.version)
    raise MirrorUnsupported(
        f"this is no InfluxDB and no VictoriaMetrics: /ping answered with HTTP status {ping.status}"
        + (f" and version {signs.version}" if signs.version else "")
    )
