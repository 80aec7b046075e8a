"""Every kind of archive target keeps the same promises; each is tried on the real thing or on a server like it."""

from collections.abc import Callable, Generator
import os
from pathlib import Path

import pytest

from custom_components.strata.archive.errors import Problem, TargetError
from custom_components.strata.archive.parquet import sha256_of
from custom_components.strata.archive.targets import TARGETS
from custom_components.strata.archive.targets.base import Target
from custom_components.strata.dependencies import FEATURES
from tests.moto_s3 import empty_bucket
from tests.s3_stub import BUCKET, Kept, Refusal, S3Stub

KEY = "archives/2026/data_2026-01-01.parquet"
SECRET = "never-to-be-seen"

type Data = dict[str, object]


@pytest.fixture
def moto_bucket(moto_url: str, socket_enabled: None) -> Data:
    empty_bucket(moto_url, BUCKET)
    return _s3(moto_url)


def _s3(url: str) -> Data:
    return {"bucket": BUCKET, "endpoint_url": url, "access_key": "key", "secret_key": SECRET, "prefix": "/strata/"}


@pytest.fixture
def stub_bucket(socket_enabled: None) -> Generator[Data]:
    with S3Stub() as stub:
        yield _s3(stub.url)


@pytest.fixture
def folder(tmp_path: Path) -> Data:
    (tmp_path / "usb").mkdir()
    return {"path": str(tmp_path / "usb")}


CASES = [("local", "folder"), ("s3", "moto_bucket"), ("s3", "stub_bucket")]


@pytest.fixture(params=CASES, ids=[fixture for _, fixture in CASES])
def target(request: pytest.FixtureRequest) -> Generator[Target]:
    kind, fixture = request.param
    made = TARGETS[kind].of(request.getfixturevalue(fixture))
    made.prepare()
    yield made
    made.close()


@pytest.fixture
def a_file(tmp_path: Path) -> Path:
    path = tmp_path / "data.parquet"
    path.write_bytes(os.urandom(200_000))
    return path


def test_every_kind_is_tried_and_its_needs_are_known() -> None:
    assert {kind for kind, _ in CASES} == set(TARGETS)
    for key, kind in TARGETS.items():
        assert kind.key == key
        assert set(kind.features) <= set(FEATURES)


def test_what_is_put_can_be_proven_and_brought_back(target: Target, a_file: Path, tmp_path: Path) -> None:
    sha256 = sha256_of(a_file)
    target.put(KEY, a_file, sha256)
    stored = target.verify(KEY, a_file.stat().st_size, sha256, tmp_path)
    assert (stored.bytes, stored.sha256) == (200_000, sha256)
    back = tmp_path / "back"
    target.get(KEY, back)
    assert back.read_bytes() == a_file.read_bytes()
    assert not [*tmp_path.glob("*.check")]


def test_a_second_put_replaces_the_whole(target: Target, a_file: Path, tmp_path: Path) -> None:
    target.put(KEY, a_file, sha256_of(a_file))
    a_file.write_bytes(b"short")
    target.put(KEY, a_file, sha256_of(a_file))
    target.verify(KEY, 5, sha256_of(a_file), tmp_path)


def test_what_is_not_there_is_said_so(target: Target, a_file: Path, tmp_path: Path) -> None:
    assert target.stat(KEY) is None
    target.delete(KEY)
    with pytest.raises(TargetError) as error:
        target.get(KEY, tmp_path / "back")
    assert error.value.problem is Problem.NOT_FOUND
    with pytest.raises(TargetError) as error:
        target.verify(KEY, 1, "x", tmp_path)
    assert error.value.problem is Problem.NOT_FOUND


def test_what_is_something_else_is_not_proven(target: Target, a_file: Path, tmp_path: Path) -> None:
    sha256 = sha256_of(a_file)
    target.put(KEY, a_file, sha256)
    for size, digest in ((5, sha256), (200_000, "0" * 64)):
        with pytest.raises(TargetError) as error:
            target.verify(KEY, size, digest, tmp_path)
        assert error.value.problem is Problem.DAMAGED


def test_what_is_deleted_is_gone(target: Target, a_file: Path) -> None:
    target.put(KEY, a_file, sha256_of(a_file))
    target.delete(KEY)
    assert target.stat(KEY) is None


def test_a_trial_leaves_nothing_behind(target: Target, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    target.check(scratch)
    assert [*scratch.iterdir()] == []


def test_what_is_kept_can_be_listed(target: Target, a_file: Path) -> None:
    assert target.listing("archives") == {}
    kept = {KEY, "archives/manifest.json", "archives/2025/data_2025-12-01.r2.parquet"}
    for key in (*kept, "raw/2026/raw_2026-01-01.parquet"):
        target.put(key, a_file, sha256_of(a_file))
    assert target.listing("archives") == dict.fromkeys(kept, 200_000)
    assert target.listing("raw") == {"raw/2026/raw_2026-01-01.parquet": 200_000}


def test_a_long_list_comes_in_pages(s3: Callable[..., Target], stub: S3Stub) -> None:
    for number in range(2_500):
        stub.objects[f"strata/raw/2026/{number}"] = Kept(b"x", {})
    assert len(s3().listing("raw")) == 2_500
    assert [asked for asked in stub.requests if asked == ("GET", "")] == [("GET", "")] * 3


# The folder


def test_a_folder_that_goes_away_is_not_an_empty_one(
    folder: Data, a_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = TARGETS["local"].of(folder)
    target.prepare()
    target.put(KEY, a_file, sha256_of(a_file))

    def refuse(path: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(TargetError):
        target.listing("archives")


def test_a_folder_whose_disk_is_not_mounted_takes_nothing(folder: Data, a_file: Path, tmp_path: Path) -> None:
    target = TARGETS["local"].of(folder)
    with pytest.raises(TargetError) as error:
        target.put(KEY, a_file, sha256_of(a_file))
    assert error.value.problem is Problem.NOT_MOUNTED
    missing = TARGETS["local"].of({"path": str(tmp_path / "nowhere")})
    with pytest.raises(TargetError) as error:
        missing.check(tmp_path)
    assert error.value.problem is Problem.NOT_A_FOLDER


@pytest.mark.parametrize(
    ("number", "problem"),
    [(28, Problem.NO_SPACE), (13, Problem.NOT_WRITABLE), (30, Problem.NOT_WRITABLE), (5, Problem.REFUSED)],
)
def test_a_folder_that_takes_no_more(
    folder: Data, a_file: Path, monkeypatch: pytest.MonkeyPatch, number: int, problem: Problem
) -> None:
    target = TARGETS["local"].of(folder)
    target.prepare()

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("custom_components.strata.archive.targets.local.shutil.copyfile", refuse)
    with pytest.raises(TargetError) as error:
        target.put(KEY, a_file, sha256_of(a_file))
    assert error.value.problem is problem
    assert not [path for path in Path(str(folder["path"])).rglob("*") if path.suffix == ".draft"]


# The bucket


@pytest.fixture
def stub(socket_enabled: None) -> Generator[S3Stub]:
    with S3Stub() as running:
        yield running


@pytest.fixture
def s3(stub: S3Stub) -> Callable[..., Target]:
    def make(**more: object) -> Target:
        return TARGETS["s3"].of({**_s3(stub.url), **more})

    return make


def _object(stub: S3Stub):
    return stub.objects[f"strata/{KEY}"]


def test_large_files_go_to_the_cold_class_and_small_ones_to_the_standard_one(
    stub: S3Stub, s3: Callable[..., Target], a_file: Path
) -> None:
    s3().put(KEY, a_file, sha256_of(a_file))
    assert _object(stub).storage_class == "GLACIER_IR"
    a_file.write_bytes(b"x" * (128 * 1024 - 1))
    s3().put(KEY, a_file, sha256_of(a_file))
    assert _object(stub).storage_class == "STANDARD"


@pytest.mark.parametrize("code", ["InvalidStorageClass", "InvalidArgument", "NotImplemented"])
def test_a_class_that_is_refused_gives_way_to_the_standard_one(
    stub: S3Stub, s3: Callable[..., Target], a_file: Path, tmp_path: Path, code: str
) -> None:
    stub.refuse = lambda method, key, headers: (
        Refusal(400, code) if "x-amz-storage-class" in {name.lower() for name in headers} else None
    )
    target = s3()
    target.put(KEY, a_file, sha256_of(a_file))
    assert target.verify(KEY, 200_000, sha256_of(a_file), tmp_path).note == "STANDARD"


def test_a_refusal_before_the_body_does_not_hold_up_what_follows(
    stub: S3Stub, s3: Callable[..., Target], a_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ceph's gateway does. On the same connection boto3 reads the next answer as that refusal, or never."""
    monkeypatch.setattr("custom_components.strata.archive.targets.s3._READ_SECONDS", 2)
    stub.early = True
    stub.refuse = lambda method, key, headers: (
        Refusal(400, "InvalidArgument") if "x-amz-storage-class" in {name.lower() for name in headers} else None
    )
    target = s3()
    for key in (KEY, KEY.replace("-01-", "-02-")):
        target.put(key, a_file, sha256_of(a_file))
        assert target.verify(key, 200_000, sha256_of(a_file), tmp_path).note == "STANDARD"
    assert [method for method, _ in stub.requests] == ["PUT", "PUT", "HEAD", "GET"] * 2

    stub.refuse = lambda method, key, headers: Refusal(507, "QuotaExceeded") if "-02-" in key else None
    with pytest.raises(TargetError):
        target.put(KEY.replace("-01-", "-02-"), a_file, sha256_of(a_file))
    target.put(KEY, a_file, sha256_of(a_file))


@pytest.mark.parametrize("encryption", ["AES256", "aws:kms"])
def test_a_trial_finds_out_that_a_server_does_not_encrypt(
    stub: S3Stub, s3: Callable[..., Target], tmp_path: Path, encryption: str
) -> None:
    """AWS says in the answer how it has encrypted; Ceph 16 takes a file with that wish and says nothing."""
    s3(encryption=encryption).check(tmp_path)
    stub.encrypts = False
    with pytest.raises(TargetError) as error:
        s3(encryption=encryption).check(tmp_path)
    assert error.value.problem is Problem.NOT_ENCRYPTED
    assert stub.objects == {}
    s3(encryption="none").check(tmp_path)


def test_encryption_is_asked_for(stub: S3Stub, s3: Callable[..., Target], a_file: Path) -> None:
    s3(encryption="AES256").put(KEY, a_file, sha256_of(a_file))
    assert _object(stub).encryption == "AES256"
    s3(encryption="aws:kms", kms_key_id="k").put(KEY, a_file, sha256_of(a_file))
    assert _object(stub).encryption == "aws:kms"


@pytest.mark.parametrize(
    ("status", "code", "problem"),
    [
        (403, "InvalidAccessKeyId", Problem.UNAUTHORIZED),
        (403, "SignatureDoesNotMatch", Problem.UNAUTHORIZED),
        (403, "AccessDenied", Problem.FORBIDDEN),
        (403, "RequestTimeTooSkewed", Problem.CLOCK),
        (404, "NoSuchBucket", Problem.NO_BUCKET),
        (400, "TooBig", Problem.REFUSED),
        (500, "InternalError", Problem.CANNOT_CONNECT),
    ],
)
def test_what_a_server_refuses_has_a_name_and_no_secret_in_it(
    stub: S3Stub, s3: Callable[..., Target], a_file: Path, status: int, code: str, problem: Problem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("custom_components.strata.archive.targets.s3._TRIES", 1)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    stub.refuse = lambda method, key, headers: Refusal(status, code) if method == "PUT" else None
    with pytest.raises(TargetError) as error:
        s3().put(KEY, a_file, sha256_of(a_file))
    assert error.value.problem is problem
    assert SECRET not in f"{error.value!r} {error.value} {error.value.__cause__!r}"


def test_a_bucket_that_is_not_there(stub: S3Stub, s3: Callable[..., Target], tmp_path: Path) -> None:
    with pytest.raises(TargetError) as error:
        s3(bucket="elsewhere").check(tmp_path)
    assert error.value.problem is Problem.NO_BUCKET


def test_a_server_that_is_not_there(s3: Callable[..., Target], a_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(TargetError) as error:
        s3(endpoint_url="http://127.0.0.1:9").put(KEY, a_file, sha256_of(a_file))
    assert error.value.problem is Problem.CANNOT_CONNECT
    assert str(error.value) == f"bucket {BUCKET}: nothing answers at this address"


@pytest.mark.parametrize(
    "keep", [lambda body: body[: len(body) // 2], lambda body: bytes([body[0] ^ 1]) + body[1:]], ids=["cut", "rust"]
)
def test_what_was_kept_differently_is_not_proven(
    stub: S3Stub, s3: Callable[..., Target], a_file: Path, tmp_path: Path, keep: Callable[[bytes], bytes]
) -> None:
    stub.keep = keep
    target = s3()
    target.put(KEY, a_file, sha256_of(a_file))
    with pytest.raises(TargetError) as error:
        target.verify(KEY, 200_000, sha256_of(a_file), tmp_path)
    assert error.value.problem is Problem.DAMAGED


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_a_line_that_is_cut_midway(
    stub: S3Stub, s3: Callable[..., Target], a_file: Path, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    target = s3()
    if method == "GET":
        target.put(KEY, a_file, sha256_of(a_file))
    stub.hang_up = lambda asked, key: asked == method
    doing = {"PUT": lambda: target.put(KEY, a_file, "x"), "GET": lambda: target.get(KEY, tmp_path / "back")}
    with pytest.raises(TargetError) as error:
        doing[method]()
    assert error.value.problem is Problem.CANNOT_CONNECT


def test_a_trial_whose_file_cannot_be_deleted_is_refused(
    stub: S3Stub, s3: Callable[..., Target], tmp_path: Path
) -> None:
    stub.refuse = lambda method, key, headers: Refusal(403, "AccessDenied") if method == "DELETE" else None
    with pytest.raises(TargetError) as error:
        s3().check(tmp_path)
    assert error.value.problem is Problem.FORBIDDEN
