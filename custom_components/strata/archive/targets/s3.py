"""S3 and what speaks like it: AWS, MinIO, Cloudflare R2, Backblaze B2, Garage.

boto3 blocks, and is imported by what needs it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, override

from ..errors import Problem, TargetError
from .base import Stored, Target

CONF_ENDPOINT = "endpoint_url"
CONF_REGION = "region"
CONF_BUCKET = "bucket"
CONF_PREFIX = "prefix"
CONF_ACCESS_KEY = "access_key"
CONF_SECRET_KEY = "secret_key"  # noqa: S105 - the name of a field
CONF_STORAGE_CLASS = "storage_class"
CONF_ENCRYPTION = "encryption"
CONF_KMS_KEY = "kms_key_id"

STANDARD = "STANDARD"
STORAGE_CLASSES = ("GLACIER_IR", "STANDARD_IA", STANDARD)
"""Classes whose objects can be read at once; an archive that takes hours to answer would be none."""
DEFAULT_STORAGE_CLASS = "GLACIER_IR"
BILLED_MINIMUM = 128 * 1024
"""Bytes that the colder classes of AWS bill at least for each object."""
ENCRYPTIONS = ("none", "AES256", "aws:kms")

_SHA256 = "sha256"
_CONNECT_SECONDS, _READ_SECONDS = 5, 60
_TRIES = 3
_PIECE = 1 << 20
_NOTHING = "archives/nothing"
"""The name of no file."""

_PROBLEMS: Mapping[str, Problem] = {
    "InvalidAccessKeyId": Problem.UNAUTHORIZED,
    "SignatureDoesNotMatch": Problem.UNAUTHORIZED,
    "InvalidClientTokenId": Problem.UNAUTHORIZED,
    "ExpiredToken": Problem.UNAUTHORIZED,
    "401": Problem.UNAUTHORIZED,
    "AccessDenied": Problem.FORBIDDEN,
    "AllAccessDisabled": Problem.FORBIDDEN,
    "403": Problem.FORBIDDEN,
    "RequestTimeTooSkewed": Problem.CLOCK,
    "NoSuchBucket": Problem.NO_BUCKET,
    "NoSuchKey": Problem.NOT_FOUND,
    "NotFound": Problem.NOT_FOUND,
    "404": Problem.NOT_FOUND,
    "QuotaExceeded": Problem.NO_SPACE,
    "XMinioStorageFull": Problem.NO_SPACE,
    "500": Problem.CANNOT_CONNECT,
    "503": Problem.CANNOT_CONNECT,
    "InternalError": Problem.CANNOT_CONNECT,
    "ServiceUnavailable": Problem.CANNOT_CONNECT,
    "SlowDown": Problem.CANNOT_CONNECT,
}

_KINDS: Mapping[str, str] = {
    "EndpointConnectionError": "nothing answers at this address",
    "ConnectTimeoutError": "no connection in time",
    "ReadTimeoutError": "no answer in time",
    "SSLError": "no secure connection; the certificate is not trusted, or the server does not speak TLS",
    "ConnectionClosedError": "the server hung up",
}
"""What boto's errors are called; others keep their names."""
"""What S3's error codes, and statuses of answers without one, mean for the user."""
_CLASS_REFUSED = frozenset({"InvalidStorageClass", "InvalidArgument", "NotImplemented"})
"""Codes with which servers say that they do not know a storage class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Where a bucket is and how files go into it."""

    name: str
    endpoint_url: str | None = None
    region: str | None = None
    prefix: str = ""
    access_key: str | None = None
    secret_key: str | None = None
    storage_class: str = DEFAULT_STORAGE_CLASS
    encryption: str = "none"
    kms_key_id: str | None = None


class S3Target(Target):
    """Keeps files in a bucket, each with its SHA-256 as metadata."""

    key: ClassVar[str] = "s3"
    features: ClassVar[tuple[str, ...]] = ("s3",)

    def __init__(self, bucket: Bucket, *, tries: int = _TRIES) -> None:
        """Name the bucket; `tries` is how often boto3 tries a request."""
        self._bucket = bucket
        self._tries = tries
        self._made: Any = None
        self._colder_from = BILLED_MINIMUM
        self._encrypted: str | None = None

    @classmethod
    @override
    def of(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            Bucket(
                name=data[CONF_BUCKET],
                endpoint_url=data.get(CONF_ENDPOINT),
                region=data.get(CONF_REGION),
                prefix=data.get(CONF_PREFIX, "").strip("/"),
                access_key=data.get(CONF_ACCESS_KEY),
                secret_key=data.get(CONF_SECRET_KEY),
                storage_class=data.get(CONF_STORAGE_CLASS, DEFAULT_STORAGE_CLASS),
                encryption=data.get(CONF_ENCRYPTION, "none"),
                kms_key_id=data.get(CONF_KMS_KEY),
            )
        )

    @property
    def _client(self) -> Any:
        if self._made is None:
            import boto3
            from botocore.config import Config

            place = self._bucket
            config = Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"total_max_attempts": self._tries, "mode": "standard"},
                # Other servers than AWS know neither the bucket as a host's name nor the newer check sums.
                s3={"addressing_style": "path"} if place.endpoint_url else None,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            )
            self._made = boto3.session.Session().client(
                "s3",
                endpoint_url=place.endpoint_url,
                region_name=place.region or "us-east-1",
                aws_access_key_id=place.access_key,
                aws_secret_access_key=place.secret_key,
                config=config,
            )
        return self._made

    @override
    def prepare(self, *, known: bool = False) -> None:
        try:
            with _in_target_words(self._bucket):
                self._client.head_bucket(Bucket=self._bucket.name)
        except TargetError as error:
            if error.problem is Problem.FORBIDDEN:
                self._see_whether_known()
            raise

    def _see_whether_known(self) -> None:
        """Ask for something whose refusal has a text: to HEAD, a wrong key and a missing permission are the same 403.

        Raises:
            TargetError: the server does not know the key, the secret is not that of the key, or a clock is wrong.
        """
        try:
            with _in_target_words(self._bucket):
                self._client.get_object(Bucket=self._bucket.name, Key=self._name(_NOTHING))["Body"].close()
        except TargetError as error:
            if error.problem in {Problem.UNAUTHORIZED, Problem.CLOCK}:
                raise

    @override
    def check(self, scratch: Path, *, known: bool = False) -> None:
        # What is tried is small, and has to show whether the chosen class may be used.
        self._colder_from = 0
        try:
            super().check(scratch, known=known)
        finally:
            self._colder_from = BILLED_MINIMUM
        # AWS says in its answer how it has encrypted. There are servers that take the file and do not.
        if self._bucket.encryption != "none" and self._encrypted is None:
            raise TargetError(Problem.NOT_ENCRYPTED, f"bucket {self._bucket.name}: {self._bucket.encryption}")

    @override
    def put(self, key: str, path: Path, sha256: str) -> None:
        chosen = self._storage_class(path.stat().st_size)
        try:
            self._put(key, path, sha256, chosen)
        except TargetError as error:
            if chosen == STANDARD or error.code not in _CLASS_REFUSED:
                raise
            self._put(key, path, sha256, STANDARD)

    def _storage_class(self, size: int) -> str:
        """Return the class for a file of this size: what is billed as more than it is goes to the standard class."""
        return self._bucket.storage_class if size >= self._colder_from else STANDARD

    def _put(self, key: str, path: Path, sha256: str, storage_class: str) -> None:
        more: dict[str, str] = {}
        # Some servers know no classes at all, and the standard one need not be named.
        if storage_class != STANDARD:
            more["StorageClass"] = storage_class
        if self._bucket.encryption != "none":
            more["ServerSideEncryption"] = self._bucket.encryption
        if self._bucket.encryption == "aws:kms" and self._bucket.kms_key_id:
            more["SSEKMSKeyId"] = self._bucket.kms_key_id
        try:
            with _in_target_words(self._bucket), path.open("rb") as body:
                answer = self._client.put_object(
                    Bucket=self._bucket.name, Key=self._name(key), Body=body, Metadata={_SHA256: sha256}, **more
                )
        except TargetError:
            # Some servers refuse before they have the body, and keep the connection. There botocore takes the answer
            # to the next PUT for that of this one (until 1.42 at least), and waits a minute for the rest of it.
            self.close()
            raise
        self._encrypted = answer.get("ServerSideEncryption")

    @override
    def stat(self, key: str) -> Stored | None:
        try:
            with _in_target_words(self._bucket):
                head = self._client.head_object(Bucket=self._bucket.name, Key=self._name(key))
        except TargetError as error:
            if error.problem is Problem.NOT_FOUND:
                return None
            raise
        return Stored(
            int(head["ContentLength"]), head.get("Metadata", {}).get(_SHA256), head.get("StorageClass", STANDARD)
        )

    @override
    def listing(self, folder: str) -> dict[str, int]:
        prefix = self._name(f"{folder}/")
        skip = len(prefix) - len(folder) - 1
        with _in_target_words(self._bucket):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket.name, Prefix=prefix)
            return {each["Key"][skip:]: int(each["Size"]) for page in pages for each in page.get("Contents", ())}

    @override
    def get(self, key: str, path: Path) -> None:
        with _in_target_words(self._bucket), path.open("wb") as file:
            body = self._client.get_object(Bucket=self._bucket.name, Key=self._name(key))["Body"]
            try:
                for piece in body.iter_chunks(_PIECE):
                    file.write(piece)
            finally:
                body.close()

    @override
    def delete(self, key: str) -> None:
        try:
            with _in_target_words(self._bucket):
                self._client.delete_object(Bucket=self._bucket.name, Key=self._name(key))
        except TargetError as error:
            if error.problem is not Problem.NOT_FOUND:
                raise

    @override
    def close(self) -> None:
        client, self._made = self._made, None
        if client is not None:
            client.close()

    def _name(self, key: str) -> str:
        return f"{self._bucket.prefix}/{key}" if self._bucket.prefix else key


@contextmanager
def _in_target_words(bucket: Bucket) -> Iterator[None]:
    """Raise boto's errors in the archive's words, without anything that was sent."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        code = str(said.get("Code", ""))
        status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        # A missing object and a missing bucket look the same to HEAD; the bucket was there when it was set up.
        problem = _PROBLEMS.get(code) or _PROBLEMS.get(status, Problem.REFUSED)
        if error.operation_name == "HeadBucket" and problem is Problem.NOT_FOUND:
            problem = Problem.NO_BUCKET
        raise TargetError(problem, f"{error.operation_name} of bucket {bucket.name}: {code or status}", code) from None
    except (BotoCoreError, HTTPClientError, OSError) as error:
        kind = type(error).__name__
        raise TargetError(Problem.CANNOT_CONNECT, f"bucket {bucket.name}: {_KINDS.get(kind, kind)}") from None
