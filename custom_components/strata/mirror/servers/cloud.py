"""InfluxDB Cloud: the API of InfluxDB 2, written to natively because it does not always serve `/write`."""

from typing import override
from urllib.parse import urlsplit

from .base import Signs
from .influx2 import InfluxDB2

_DOMAINS = (".influxdata.com", ".influxdb.io")


class InfluxDBCloud(InfluxDB2):
    """InfluxDB Cloud in all its forms. Shards are its own business."""

    key = "influxdb_cloud"
    shards = False

    @override
    @classmethod
    def recognises(cls, signs: Signs) -> bool:
        host = urlsplit(signs.url).hostname or ""
        return host.endswith(_DOMAINS) or "cloud" in signs.build or signs.version.lower().startswith("cloud")
