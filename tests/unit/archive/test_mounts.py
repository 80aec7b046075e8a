"""Which disk a folder is on, from tables as proc(5) and fstab(5) describe them."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from custom_components.strata.archive.targets import mounts

HOME_ASSISTANT_OS = """\
560 440 0:49 / / rw,relatime master:150 - overlay overlay rw,lowerdir=/a,upperdir=/b,workdir=/c
561 560 0:52 / /proc rw,nosuid - proc proc rw
570 560 179:8 /supervisor/homeassistant /config rw,relatime - ext4 /dev/mmcblk0p8 rw,commit=30
571 560 179:8 /supervisor/share /share rw,relatime master:1 shared:4 - ext4 /dev/mmcblk0p8 rw,commit=30
572 571 0:60 / /share/my\\040nas rw,relatime - cifs //nas/my\\040files rw,vers=3.1.1
573 560 179:8 /supervisor/media /media rw,relatime - ext4 /dev/mmcblk0p8 rw,commit=30
"""
BTRFS = """\
22 1 0:20 /@ / rw - btrfs /dev/sda2 rw,subvol=/@
23 22 0:41 /@home /home rw - btrfs /dev/sda2 rw,subvol=/@home
24 22 8:33 / /mnt/usb rw - ext4 /dev/sdc1 rw
"""


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Set what is mounted and what is to be; a folder's device is that of the mount that it is in."""

    def set_up(mounted: str, to_mount: str = "") -> None:
        (tmp_path / "mountinfo").write_text(mounted)
        (tmp_path / "fstab").write_text(to_mount)
        monkeypatch.setattr(mounts, "MOUNTED", tmp_path / "mountinfo")
        monkeypatch.setattr(mounts, "TO_MOUNT", tmp_path / "fstab")
        found = [words for line in mounted.splitlines() if len(words := line.split()) > 4]
        by_point = {words[4].replace("\\040", " "): words[2] for words in found}

        def stat(path: Path, **_: object) -> SimpleNamespace:
            point = max((point for point in by_point if path.is_relative_to(point)), key=len)
            return SimpleNamespace(st_dev=by_point[point])

        monkeypatch.setattr(mounts.Path, "resolve", lambda path: path)
        monkeypatch.setattr(mounts.Path, "stat", stat)

    return set_up


@pytest.mark.parametrize(
    ("folder", "other", "same"),
    [
        ("/share/strata", "/config", True),
        ("/share/my", "/config", True),
        ("/media/usb/strata", "/config", True),
        ("/share/my nas", "/config", False),
        ("/share/my nas/strata", "/config", False),
        ("/data/strata", "/config", False),
        ("/data/strata", "/", True),
    ],
)
def test_on_home_assistant_os(tables, folder: str, other: str, same: bool) -> None:
    tables(HOME_ASSISTANT_OS)
    assert mounts.shares_disk(Path(folder), Path(other)) is same


def test_parts_of_one_disk_that_have_numbers_of_their_own(tables) -> None:
    tables(BTRFS)
    assert mounts.shares_disk(Path("/srv/archive"), Path("/home/ha/.homeassistant"))
    assert not mounts.shares_disk(Path("/mnt/usb/archive"), Path("/home/ha/.homeassistant"))
    assert mounts.shares_disk(Path("/mnt/other"), Path("/home/ha/.homeassistant"))


def test_what_lies_on_top_is_what_counts(tables) -> None:
    tables(BTRFS + "25 24 0:70 / /mnt/usb rw - tmpfs tmpfs rw\nan odd line\n26 24 0:71 / /x rw\n")
    assert not mounts.shares_disk(Path("/mnt/usb"), Path("/home"))


FSTAB = """\
# <file system> <mount point> <type> <options> <dump> <pass>
UUID=1 / ext4 defaults 0 1
UUID=2 none swap sw 0 0
//nas/files /mnt/my\\040nas cifs credentials=/root/nas,nofail 0 0
UUID=3 /mnt/usb ext4 noauto 0 2
"""


@pytest.mark.parametrize(
    ("folder", "point"),
    [
        ("/mnt/my nas", "/mnt/my nas"),
        ("/mnt/my nas/strata", "/mnt/my nas"),
        ("/mnt/my nasty", None),
        ("/mnt/usb/strata", None),
        ("/mnt", None),
    ],
)
def test_what_is_to_be_mounted_and_is_not(tables, folder: str, point: str | None) -> None:
    tables(BTRFS, FSTAB)
    assert mounts.unmounted(Path(folder)) == (point and Path(point))


def test_where_nothing_is_known_of_mounts_nothing_is_said(
    tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables("", FSTAB)
    assert mounts.unmounted(Path("/mnt/usb")) is None
    monkeypatch.undo()
    monkeypatch.setattr(mounts, "MOUNTED", tmp_path / "nowhere")
    monkeypatch.setattr(mounts, "TO_MOUNT", tmp_path / "nowhere")
    assert mounts.unmounted(tmp_path) is None
    assert mounts.shares_disk(tmp_path, tmp_path)


def test_on_this_machine(tmp_path: Path) -> None:
    assert mounts.shares_disk(tmp_path, tmp_path.parent)
    assert mounts.unmounted(tmp_path) is None
    with pytest.raises(FileNotFoundError):
        mounts.shares_disk(tmp_path / "nowhere", tmp_path)
