"""The kernel's limits, file systems that send no events, and defects of ours: never silence."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devmount.events import Kind
from devmount.watch import filesystem
from devmount.watch.filesystem import kind_of
from devmount.watch.tree import Tree
from tests.watch.elsewhere import can_limit, run_with_limits
from tests.watch.recorder import Recorder

limited = pytest.mark.skipif(not can_limit(), reason="takes a user namespace")

WATCHES = """
for number in range(30):
    (root / f"d{number:02}/deep").mkdir(parents=True)
    (root / f"d{number:02}/deep/f").write_text("1")
(root / "node_modules/m").mkdir(parents=True)
with Recorder(root) as recorder:
    warning = recorder.wait_for_warning("the kernel gives no more watches")
    assert "user.max_inotify_watches = 40" in warning.message, warning
    assert "sysctl user.max_inotify_watches=" in warning.hint, warning
    told = int(warning.message.partition("): ")[2].split(" ")[0])
    assert told + recorder.watcher.count == 61, (warning, recorder.watcher.count)
    mark = recorder.mark()
    for number in range(30):
        (root / f"d{number:02}/deep/f").write_text("22")
    for number in range(30):
        recorder.wait_for(f"d{number:02}/deep/f", mark)
    mark = recorder.mark()
    (root / "new/deeper").mkdir(parents=True)
    (root / "new/deeper/f").write_text("1")
    recorder.wait_for("new/deeper/f", mark)
    mark = recorder.mark()
    (root / "new/deeper/f").write_text("22")
    recorder.wait_for("new/deeper/f", mark)
    (root / "node_modules/m/f").write_text("1")
    (root / "d07/deep/g").write_text("1")
    recorder.wait_for("d07/deep/g", mark)
    assert not [change for change in recorder.changes if "node_modules" in change.path]
    assert len(recorder.warnings) == 1, recorder.warnings
"""

INSTANCES = """
(root / "a").mkdir()
with Recorder(root) as recorder:
    warning = recorder.wait_for_warning("no more inotify instances")
    assert "user.max_inotify_instances = 0" in warning.message, warning
    (root / "a/f").write_text("1")
    recorder.wait_for("a/f")
    mark = recorder.mark()
    (root / "a/f").unlink()
    recorder.wait_for("a/f", mark)
"""

OVERFLOW = """
import threading
from devmount.watch.watches import Descriptor

QUEUE = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
FILES = 200_000
for folder in range(FILES // 100):
    (root / f"d{folder}").mkdir()
    for number in range(100):
        (root / f"d{folder}/f{number}").write_text("1")
(root / "gone").mkdir()
(root / "gone/f").write_text("1")
(root / "was").mkdir()
(root / "was/f").write_text("1")
time.sleep(0.1)  # so that the times of all this are older than the watcher, by more than its slack
waits, may_go_on = threading.Event(), threading.Event()
handle = Descriptor.handle_event

def slowly(self, event):
    if event.name == b"begin":
        waits.set()
        may_go_on.wait(60)
    handle(self, event)

Descriptor.handle_event = slowly
with Recorder(root) as recorder:
    recorder.flush()
    (root / "begin").touch()
    assert waits.wait(60)
    mark = recorder.mark()
    names = [root / "a", root / "b"]
    names[0].touch()
    for number in range(QUEUE // 2 + 10):
        names[number % 2].rename(names[1 - number % 2])  # two events each
    (root / "d3/f4").write_text("2")
    (root / "d5/new").mkdir()
    (root / "d5/new/f").write_text("2")
    (root / "gone/f").unlink()
    (root / "was").rename(root / "is")
    may_go_on.set()
    recorder.wait_for_warning("more changed at once")
    recorder.flush()
    recorder.flush()  # the first one's may be delivered amid the comparison
    paths = {change.path for change in recorder.since(mark)}
    assert paths >= {"d3/f4", "d5/new/f", "gone", "is/f", "."}, paths
    assert "d4/f4" not in paths, paths
    for name in ("is/f", "d5/new/f", "d3/f4"):
        assert recorder.paths_caused(lambda: (root / name).write_text("3")) == {name}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@limited
def test_no_more_watches(root: Path) -> None:
    """What is left out is looked at, and the warning says how many folders and which limit."""
    run_with_limits({"max_inotify_watches": 40}, WATCHES, root)


@limited
def test_no_watch_at_all(root: Path) -> None:
    script = WATCHES.replace("= 40", "= 0")
    run_with_limits({"max_inotify_watches": 0}, script, root)


@limited
def test_no_more_instances(root: Path) -> None:
    run_with_limits({"max_inotify_instances": 0}, INSTANCES, root)


@limited
def test_a_queue_that_overflows() -> None:
    """The disk tells what changed, when the kernel cannot; folders that came and moved meanwhile are watched."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        run_with_limits({}, OVERFLOW, Path(folder))


def test_looking_because_the_file_says_so(root: Path) -> None:
    with Recorder(root, ["*.log"], poll=0.02) as recorder:
        assert recorder.caused(lambda: (root / "f").write_text("1"))[0].kind is Kind.CREATED
        assert recorder.caused(lambda: (root / "f").write_text("2"))[0].kind is Kind.MODIFIED
        assert recorder.caused(lambda: (root / "f").chmod(0o600))[0].kind is Kind.MODIFIED
        assert recorder.caused(lambda: os.utime(root / "f"))[0].kind is Kind.MODIFIED
        assert recorder.caused(lambda: (root / "f").unlink())[0].kind is Kind.DELETED
        assert recorder.paths_caused(lambda: (root / "a.log").write_text("1")) == set()
        recorder.caused(lambda: (root / ".gitignore").write_text("*.txt\n"))
        assert recorder.paths_caused(lambda: (root / "a.txt").write_text("1")) == set()
        assert recorder.paths_caused(lambda: (root / ".gitignore").unlink()) == {".gitignore", "a.txt"}
        assert recorder.warnings == []


def test_looking_sees_what_keeps_its_time_and_size(root: Path) -> None:
    """Two writes within one tick of the file system's clock, or by a program that sets the time back."""
    (root / "f").write_text("1")
    times = (root / "f").stat()
    with Recorder(root, poll=0.02) as recorder:

        def act() -> None:
            (root / "f").write_text("2")
            os.utime(root / "f", ns=(times.st_atime_ns, times.st_mtime_ns))

        assert recorder.paths_caused(act) == {"f"}


def test_a_defect_does_not_leave_a_session_deaf(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_ignored = Tree.is_ignored

    def defective(self: Tree, relative: str, is_dir: bool) -> bool:
        if relative == "trigger":
            (root / "trigger").unlink()
            raise RuntimeError("a defect")
        return is_ignored(self, relative, is_dir)

    monkeypatch.setattr(Tree, "is_ignored", defective)
    with Recorder(root) as recorder:
        (root / "trigger").touch()
        assert "a defect" in recorder.wait_for_warning("watching ended of an internal error").message
        recorder.wait_for(".")
        (root / "f").write_text("1")
        recorder.wait_for("f")


def test_a_defect_that_stays_is_told_and_not_tried_for_ever(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "f").touch()

    def defective(self: Tree, relative: str, is_dir: bool) -> bool:
        raise RuntimeError("a defect")

    with Recorder(root, poll=0.01) as recorder:
        monkeypatch.setattr(Tree, "is_ignored", defective)
        recorder.wait_for_warning("changes are not seen any more")
        assert len(recorder.warnings) == 4


MOUNTINFO = (
    rb"""22 27 0:21 / /proc rw,nosuid shared:14 - proc proc rw
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard
30 27 0:26 / /home rw shared:5 master:2 - btrfs /dev/sdb rw
31 30 0:44 / /home/me/far rw - nfs4 server:/export rw,vers=4.2
32 30 0:45 / /home/me/a\040b\011c\012d\134e rw - fuse.sshfs me@host:/ rw
33 30 0:46 / /home/me/\320\264 rw - 9p share rw
34 27 0:47 / /mnt/one rw - ext4 /dev/sdc rw
35 34 0:48 / /mnt/one rw - virtiofs tag rw
36 27 0:49 / /mnt/on rw - cifs //server/share rw
broken line
"""
    + b"37 27 0:50 / /mnt/\xff rw - fuse.rclone remote: rw\n"
)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/srv/project", "ext4"),
        ("/home/me/project", "btrfs"),
        ("/home/me/far", "nfs4"),
        ("/home/me/far/project", "nfs4"),
        ("/home/me/farther", "btrfs"),
        ("/home/me/a b\tc\nd\\e/project", "fuse.sshfs"),
        ("/home/me/д/project", "9p"),
        ("/mnt/one/project", "virtiofs"),
        ("/mnt/on/project", "cifs"),
        ("/mnt/other", "ext4"),
        ("/mnt/\udcff/project", "fuse.rclone"),
    ],
)
def test_the_kind_of_a_file_system(path: str, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert kind_of(path, MOUNTINFO) == kind
    (tmp_path / "mountinfo").write_bytes(MOUNTINFO)
    monkeypatch.setattr(filesystem, "MOUNTS", tmp_path / "mountinfo")
    expected = kind if kind not in ("ext4", "btrfs") else None
    assert filesystem.without_events(Path(path)) == expected


@pytest.fixture
def nine_p(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that lies, by the kernel's table, on a share."""
    table = tmp_path / "mountinfo"
    folder = tmp_path / "share"
    folder.mkdir()
    table.write_text(f"27 1 254:1 / / rw - ext4 /dev/vda1 rw\n30 27 0:26 / {folder} rw - 9p share rw\n")
    monkeypatch.setattr(filesystem, "MOUNTS", table)
    return folder


def test_polling_is_proposed_where_events_may_not_come(nine_p: Path) -> None:
    with Recorder(nine_p) as recorder:
        warning = recorder.wait_for_warning("the project lies on 9p")
        assert warning.hint is not None
        assert "poll = true" in warning.hint
    with Recorder(nine_p, poll=0.02) as recorder:
        recorder.flush()
        assert recorder.warnings == []


@pytest.fixture
def bound(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A folder, and a mount through FUSE that shows what is in it."""
    if shutil.which("bindfs") is None or os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("takes bindfs, /dev/fuse and root")
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    subprocess.run(["bindfs", there, here], check=True, timeout=60)
    yield there, here
    subprocess.run(["umount", "--lazy", here], check=True, timeout=60)


def test_what_is_changed_behind_a_fuse_mount_is_seen_by_looking(bound: tuple[Path, Path]) -> None:
    there, here = bound
    (there / "f").write_text("1")
    with Recorder(here) as recorder:
        assert recorder.wait_for_warning("the project lies on fuse").hint is not None
        assert recorder.paths_caused(lambda: (here / "f").write_text("22")) == {"f"}
        assert recorder.paths_caused(lambda: (there / "f").write_text("333")) == set()  # so the warning is right
    with Recorder(here, poll=0.02) as recorder:
        recorder.flush()
        mark = recorder.mark()
        (there / "f").write_text("4444")
        recorder.wait_for("f", mark)
        assert recorder.warnings == []


def test_a_real_mount_is_found() -> None:
    """The kernel's own table, of a file system that is always there."""
    assert kind_of("/proc/self", Path("/proc/self/mountinfo").read_bytes()) == "proc"


def test_the_kind_of_this_file_system_is_what_findmnt_says(root: Path) -> None:
    done = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", root], capture_output=True, text=True)
    if done.returncode == 0:
        assert kind_of(os.path.realpath(root), Path("/proc/self/mountinfo").read_bytes()) == done.stdout.strip()
