"""A bucket on a moto server, as S3 itself behaves (moto checks no credentials and no check sums)."""

from collections.abc import Generator
from contextlib import contextmanager
import socket
import subprocess
import sys
import time
from typing import Any

import boto3


@contextmanager
def running() -> Generator[str]:
    """Run a server in a process of its own for a while and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < limit:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the S3 server did not start")


def client_of(url: str) -> Any:
    """Return boto3's own client of a server."""
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )


def empty_bucket(url: str, name: str) -> None:
    """Make sure that there is a bucket with nothing in it."""
    client = client_of(url)
    client.create_bucket(Bucket=name)
    for found in client.list_objects_v2(Bucket=name).get("Contents", []):
        client.delete_object(Bucket=name, Key=found["Key"])
    client.close()
