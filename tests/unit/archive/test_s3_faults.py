"""Whatever an S3 server does: nothing local goes before a file is proven, and the next good run finishes the job."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from custom_components.strata.archive import manifest
from custom_components.strata.archive.targets.s3 import Bucket, S3Target
from custom_components.strata.store.tiers import DAY
from tests.archive_world import World
from tests.s3_stub import BUCKET, Refusal, S3Stub


@pytest.fixture(scope="module")
def fifty_days(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("world"))
    made.live(75)
    made.store.close()
    return made


@pytest.fixture
def stub(socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> Generator[S3Stub]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with S3Stub() as running:
        yield running


@pytest.fixture
def world(tmp_path: Path, fifty_days: World, stub: S3Stub) -> Generator[World]:
    made = World(tmp_path, like=fifty_days)
    bucket = Bucket(name=BUCKET, endpoint_url=stub.url, access_key="key", secret_key="secret")
    made.targets["s3"] = S3Target(bucket, tries=1)
    yield made
    made.targets["s3"].close()
    made.store.abandon()


def _refusing(status: int, code: str, *methods: str) -> Callable[[S3Stub], None]:
    def set_up(stub: S3Stub) -> None:
        stub.refuse = lambda method, key, headers: Refusal(status, code) if not methods or method in methods else None

    return set_up


def _truncating(stub: S3Stub) -> None:
    stub.keep = lambda body: body[: len(body) // 3]


def _corrupting(stub: S3Stub) -> None:
    stub.keep = lambda body: body[:-9] + bytes([body[-9] ^ 4]) + body[-8:]


def _hanging_up(stub: S3Stub) -> None:
    stub.hang_up = lambda method, key: method == "PUT"


def _forgetting(stub: S3Stub) -> None:
    stub.keep = lambda body: stub.objects.clear() or body
    stub.refuse = lambda method, key, headers: Refusal(404, "NoSuchKey") if method == "HEAD" and key else None


FAULTS = {
    "wrong key": _refusing(403, "InvalidAccessKeyId"),
    "wrong secret": _refusing(403, "SignatureDoesNotMatch"),
    "no bucket": _refusing(404, "NoSuchBucket"),
    "403": _refusing(403, "AccessDenied"),
    "403 for reading back": _refusing(403, "AccessDenied", "GET"),
    "500 for an hour": _refusing(500, "InternalError"),
    "503": _refusing(503, "SlowDown", "PUT"),
    "truncated upload": _truncating,
    "silent corruption": _corrupting,
    "network gone mid-upload": _hanging_up,
    "thanks and forgets": _forgetting,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_local_goes_and_the_next_run_finishes(world: World, stub: S3Stub, fault: str) -> None:
    before = world.local()
    FAULTS[fault](stub)
    for _ in range(2):
        report = world.archive()
        assert report.problems
        assert len(set(report.problems)) == len(report.problems), "nothing is said twice"
        assert report.rows_deleted == 0
        assert world.local() == before
    with world.store.reader() as reader:
        for file in manifest.all_files(reader.connection):
            states = {copy.target: copy.state for copy in manifest.copies(reader.connection, file.id)}
            assert states["s3"] != manifest.VERIFIED

    stub.refuse, stub.keep, stub.hang_up = S3Stub().refuse, S3Stub().keep, S3Stub().hang_up
    report = world.archive()
    assert report.problems == []
    assert report.rows_deleted > 0
    assert world.everything() == before
    del world.targets["usb"]
    assert world.everything() == before, "from the bucket alone"


def test_a_bucket_that_is_gone_says_nothing_of_its_files(world: World, stub: S3Stub) -> None:
    """To HEAD, which has no text, it looks as if each file was gone."""
    assert world.archive().problems == []
    stub.refuse = _no_bucket
    report = world.archive()
    assert {problem.split(": ")[-1] for problem in report.problems} == {"NoSuchBucket"}
    with world.store.reader() as reader:
        assert manifest.figures(reader.connection, "s3").damaged == ()


def _no_bucket(method: str, key: str, headers: dict[str, str]) -> Refusal:
    return Refusal(404, "NoSuchBucket")


def test_a_copy_that_was_proven_once_is_not_forgotten_when_it_cannot_be_sent_anew(world: World, stub: S3Stub) -> None:
    """Gone for a week and then back, as an object of a bucket that was restored is; and it is the only copy."""
    del world.targets["usb"]
    before = world.local()
    assert world.archive().problems == []
    held = dict(stub.objects)
    for key in held:
        if key.endswith(".parquet"):
            del stub.objects[key]
    assert world.archive().problems
    with world.store.reader() as reader:
        assert len(manifest.figures(reader.connection, "s3").damaged) == 2

    stub.objects.update(held)
    stub.hang_up = lambda method, key: method == "PUT" and key.endswith(".parquet")
    assert world.archive().problems
    stub.hang_up = S3Stub().hang_up
    assert world.everything() == before
    report = world.archive()
    assert (report.problems, report.verified) == ([], 2)
    assert world.everything() == before
    assert {key: kept.body for key, kept in stub.objects.items() if key.endswith(".parquet")} == {
        key: kept.body for key, kept in held.items() if key.endswith(".parquet")
    }


def test_a_refused_storage_class_is_no_fault(world: World, stub: S3Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.strata.archive.targets.s3.BILLED_MINIMUM", 0)
    stub.refuse = lambda method, key, headers: (
        Refusal(400, "InvalidStorageClass") if "x-amz-storage-class" in {name.lower() for name in headers} else None
    )
    before = world.local()
    assert world.archive().problems == []
    assert world.everything() == before
    assert {kept.storage_class for kept in stub.objects.values()} == {"STANDARD"}


def test_a_week_asks_for_a_list_and_reads_a_few_files_in_turn(
    world: World, stub: S3Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.strata.archive.vault._READ_AGAIN", 1)
    assert world.archive().problems == []
    first, second = sorted(key for key in stub.objects if key.endswith(".parquet"))
    read: list[str] = []
    for _ in range(2):
        stub.requests.clear()
        world.clock += DAY
        world.store.write([], heartbeat=world.clock)
        assert world.archive().problems == []
        assert len([key for method, key in stub.requests if method == "HEAD" and key.endswith(".parquet")]) == 1
        read += [key for method, key in stub.requests if method == "GET" and key.endswith(".parquet")]
    assert read == [first, second]

    # What rusts without a change in size is found in its turn, and made good from the folder.
    body = stub.objects[first].body
    stub.objects[first].body = body[:-9] + bytes([body[-9] ^ 4]) + body[-8:]
    report = world.archive()
    assert (report.problems, report.verified) == ([], 1)
    assert stub.objects[first].body == body
    # What is gone or shorter is found at once.
    del stub.objects[first]
    stub.objects[second].body = stub.objects[second].body[:-1]
    assert world.archive().verified == 2
    assert stub.objects[first].body == body
    # While the line is down, nothing is said to be damaged.
    stub.refuse = lambda method, key, headers: Refusal(500, "InternalError") if method == "GET" and key else None
    world.archive()
    stub.refuse = S3Stub().refuse
    assert world.archive().verified == 0
