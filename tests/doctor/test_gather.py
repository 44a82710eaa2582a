"""Facts of this machine that need no engine."""

import ctypes
import grp
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from devmount.doctor.gather import desktop_shares, emulated, in_group, inotify, used_inotify
from devmount.model import Project, Service, Watch


def project(root: Path) -> Project:
    service = Service("app", image="a:1", mount="")
    return Project("p", root, (root / ".devmount.toml",), {"app": service}, watch=Watch(ignore=("/out/",)))


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_inotify_is_counted_by_the_kernels_own_account(tmp_path: Path) -> None:
    for name in ("a/b", "c", "out/x", "node_modules/y", ".git/z"):
        (tmp_path / name).mkdir(parents=True)
    found = inotify(project(tmp_path))
    assert found is not None
    assert found.folders == 4  # the root, a, a/b, c
    assert found.max_watches > 0
    assert found.max_instances > 0


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_what_other_programs_of_the_user_watch_is_counted(tmp_path: Path) -> None:
    processes = tmp_path / "proc"
    processes.mkdir()
    (processes / str(os.getpid())).symlink_to(f"/proc/{os.getpid()}")  # of this process alone: others come and go
    before = used_inotify(os.getuid(), processes)
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    assert descriptor >= 0
    try:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            assert libc.inotify_add_watch(descriptor, os.fsencode(tmp_path / name), 0x2) >= 0  # IN_MODIFY
        after = used_inotify(os.getuid(), processes)
    finally:
        os.close(descriptor)
    assert (after[0] - before[0], after[1] - before[1]) == (2, 1)
    assert used_inotify(os.getuid() + 1, processes) == (0, 0)


def test_emulators_are_known_by_what_the_kernel_hands_to_them(tmp_path: Path) -> None:
    (tmp_path / "qemu-aarch64").write_text("enabled\ninterpreter /usr/bin/qemu-aarch64\n")
    (tmp_path / "qemu-arm").write_text("disabled\n")
    (tmp_path / "python3.11").write_text("enabled\n")
    (tmp_path / "status").write_text("enabled\n")
    assert emulated(tmp_path) == {"arm64"}
    assert emulated(tmp_path / "missing") == frozenset()


@pytest.mark.parametrize(
    ("name", "key"), [("settings-store.json", "FilesharingDirectories"), ("settings.json", "filesharingDirectories")]
)
def test_docker_desktops_shares_are_read_from_its_settings(tmp_path: Path, name: str, key: str) -> None:
    settings = tmp_path / ".docker" / "desktop" / name
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({key: ["/home", "/srv"], "other": 1}))
    assert desktop_shares(tmp_path) == ("/home", "/srv")


@pytest.mark.parametrize("text", ["", "[]", '{"filesharingDirectories": 1}', "no json"])
def test_where_its_settings_say_nothing_its_defaults_count(tmp_path: Path, text: str) -> None:
    settings = tmp_path / ".docker" / "desktop" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(text)
    assert desktop_shares(tmp_path) == (("/home",) if sys.platform == "linux" else desktop_shares(tmp_path / "none"))


def test_the_group_is_the_user_databases() -> None:
    own = pwd.getpwuid(os.getuid())
    names = subprocess.run(["id", "-Gn", own.pw_name], capture_output=True, text=True, check=True).stdout.split()
    assert [in_group(name) for name in names] == [True] * len(names)
    other = next(entry.gr_name for entry in grp.getgrall() if entry.gr_name not in names)
    assert in_group(other) is False
    assert in_group("no-such-group-here") is None
