"""What is found, fact by fact. The rules are pure: nothing here asks an engine."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devmount.doctor import Facts, Finding, Level, findings
from devmount.doctor.facts import Foreign, ImageFact, Inotify, TakenPort
from devmount.engine.about import About
from devmount.errors import DevmountError, NoEngineError
from devmount.model import Mount, MountType, Port, Project, Service, Watch
from devmount.trust import Standing, Status

ROOT = Path("/home/ann/shop")
PROJECT = Project("shop", ROOT, (ROOT / ".devmount.toml",), {"app": Service("app", image="a:1", mount="")})
WITH_PORT = replace(PROJECT, services={"app": Service("app", image="a:1", mount="", ports=(Port(8000, 8000),))})
POLLED = replace(PROJECT, watch=Watch(poll=1.0))
WITH_BIND = replace(
    PROJECT,
    services={"app": Service("app", image="a:1", mounts=(Mount(MountType.BIND, "/srv/data", "/data"),))},
)
DOCKER = About("Docker", "28.5.2", "1.51", "unix:///var/run/docker.sock", "amd64", "/var/lib/docker", time=1000.0)
PODMAN = replace(DOCKER, name="Podman", version="4.3.1", api="1.41")
DESKTOP = replace(DOCKER, is_desktop=True)
HELD = Standing(ROOT, Status.HELD, (), (), "x")
NO_ENGINE = NoEngineError("no container engine answers", "tried unix:///var/run/docker.sock: {}", "start Docker")
WELL = Facts(
    folder=ROOT,
    now=1000.0,
    project=PROJECT,
    engine=DOCKER,
    free_bytes=50 * 10**9,
    inotify=Inotify(10, 0, 8192, 1, 128),
    images=(ImageFact("app", "a:1", False, "amd64"),),
    standing=Standing(ROOT, Status.NOTHING, (), (), "x"),
    has_session=False,
)


def no_engine(why: str) -> dict[str, Any]:
    return {"engine": None, "no_engine": NoEngineError(NO_ENGINE.message, NO_ENGINE.where.format(why), "start Docker")}


def of(facts: Facts, check: str) -> list[Finding]:
    return [finding for finding in findings(facts) if finding.check == check]


def test_where_all_is_well_nothing_else_is_found() -> None:
    found = findings(WELL)
    assert {finding.level for finding in found} == {Level.OK}
    assert {finding.mend for finding in found} == {""}
    checks = ["file", "engine", "users", "disk", "clock", "file system", "inotify", "images", "containers", "trust"]
    assert [finding.check for finding in found] == [*checks, "session"]


WARNING, ERROR = Level.WARNING, Level.ERROR
CASES: list[tuple[str, dict[str, Any], str, Level, str, str]] = [
    (
        "a mistake in the file",
        {"project": None, "problems": (DevmountError("unknown key 'prots'", "x:3", "did you mean 'ports'?"),)},
        "file",
        ERROR,
        "unknown key 'prots'",
        "did you mean 'ports'?",
    ),
    (
        "a mistake without advice",
        {"project": None, "problems": (DevmountError("bad"),)},
        "file",
        ERROR,
        "bad",
        "correct the file",
    ),
    (
        "a doubtful line",
        {"warnings": (".env:2 is no assignment and is skipped",)},
        "file",
        WARNING,
        ".env:2 is no assignment",
        "correct the line",
    ),
    ("no engine", no_engine("no such socket"), "engine", ERROR, "no container engine answers", "start Docker"),
    ("no permission", no_engine("permission denied"), "engine", ERROR, "answers", "sudo usermod -aG docker $USER"),
    (
        "an old login",
        {**no_engine("permission denied"), "in_docker_group": True},
        "engine",
        ERROR,
        "answers",
        "log in again",
    ),
    (
        "an old API",
        {"engine": replace(DOCKER, version="19.03", api="1.40")},
        "api",
        WARNING,
        "its API 1.40 is older than what devmount is tested with, 1.41",
        "use Docker 20.10 or newer",
    ),
    (
        "an old Podman",
        {"engine": replace(PODMAN, version="3.4.4", api="1.40")},
        "api",
        WARNING,
        "Podman 3.4.4 is older",
        "use 4.3 or newer",
    ),
    ("remapped users", {"engine": replace(DOCKER, remaps_users=True)}, "users", WARNING, "userns-remap", "daemon.json"),
    (
        "SELinux on Podman",
        {"engine": PODMAN, "selinux_enforcing": True, "label": "unconfined_u:object_r:user_home_t:s0"},
        "selinux",
        WARNING,
        "labelled user_home_t",
        'mount = "/workspace:z"',
    ),
    (
        "SELinux on Docker",
        {"engine": replace(DOCKER, has_selinux=True), "selinux_enforcing": True},
        "selinux",
        WARNING,
        "may not read the project's folder",
        '"./data:/data:z"',
    ),
    (
        "a folder that Docker Desktop does not share",
        {"engine": DESKTOP, "shared": ("/home/bob",)},
        "sharing",
        ERROR,
        "Docker Desktop does not share /home/ann/shop",
        "File sharing",
    ),
    (
        "a bind that Docker Desktop does not share",
        {"engine": DESKTOP, "shared": ("/home",), "project": WITH_BIND},
        "sharing",
        ERROR,
        "does not share /srv/data",
        "File sharing",
    ),
    ("a full disk", {"free_bytes": 10**6}, "disk", ERROR, "is full: 1 MB are free", "docker system prune"),
    (
        "a nearly full disk",
        {"engine": PODMAN, "free_bytes": 10**9},
        "disk",
        WARNING,
        "nearly full: 1.0 GB",
        "podman system prune",
    ),
    ("a clock ahead", {"now": 990.0}, "clock", WARNING, "10 s ahead of yours", "NTP"),
    (
        "a clock behind",
        {"now": 1010.0, "engine": DESKTOP},
        "clock",
        WARNING,
        "10 s behind yours",
        "restart Docker Desktop",
    ),
    ("a network file system", {"without_events": "nfs4"}, "file system", WARNING, "lies on nfs4", "poll = true"),
    (
        "a Windows drive",
        {"without_events": "9p", "is_windows_drive": True},
        "file system",
        WARNING,
        "Windows drive",
        "move it into Linux's own file system",
    ),
    (
        "too many folders",
        {"inotify": Inotify(9000, 100, 8192, 1, 128)},
        "inotify",
        WARNING,
        "9000 folders to watch, and the kernel has 8092 watches left",
        "sudo sysctl fs.inotify.max_user_watches=524288",
    ),
    (
        "no instance left",
        {"inotify": Inotify(10, 0, 8192, 128, 128)},
        "inotify",
        WARNING,
        "all 128 inotify instances",
        "fs.inotify.max_user_instances=1024",
    ),
    (
        "a taken port",
        {"project": WITH_PORT, "ports": (TakenPort("app", Port(8000, 8000), "nginx (process 7)"),)},
        "ports",
        ERROR,
        "port 8000 of 127.0.0.1 is taken by nginx (process 7)",
        'ports = ["8001:8000"]',
    ),
    (
        "a port that nobody owns up to",
        {"project": WITH_PORT, "ports": (TakenPort("db", Port(8000, 65535), ""),)},
        "ports",
        ERROR,
        "port 65535 of 127.0.0.1 is taken",
        'ports = ["8000:8000"]',
    ),
    (
        "an image for another machine",
        {"images": (ImageFact("app", "a:1", False, "arm64"),)},
        "images",
        ERROR,
        "a:1 is for arm64, the engine runs amd64, which cannot start it",
        "docker pull a:1",
    ),
    (
        "a built image for another machine, emulated",
        {"images": (ImageFact("app", "shop-app:devmount", True, "arm64"),), "emulated": frozenset({"arm64"})},
        "images",
        WARNING,
        "it is emulated, which is slow",
        "devmount up --build",
    ),
    (
        "another checkout",
        {"foreign": (Foreign("shop-app", "/home/ann/shop2", True, True),)},
        "containers",
        ERROR,
        "shop-app belongs to another checkout",
        ".devmount.local.toml",
    ),
    (
        "a checkout that is gone",
        {"foreign": (Foreign("shop-app", "/home/ann/old", False, True),)},
        "containers",
        WARNING,
        "runs still from a checkout that is gone",
        "devmount down",
    ),
    (
        "a container of nobody's",
        {"engine": PODMAN, "foreign": (Foreign("shop-app", "", False, False),)},
        "containers",
        ERROR,
        "exists and is not this project's",
        "podman rm shop-app",
    ),
    ("no word, nobody to ask", {"standing": HELD}, "trust", ERROR, "asks for your word", "devmount trust"),
    ("no word", {"standing": HELD, "can_ask": True}, "trust", WARNING, "asks for your word", "devmount trust"),
    (
        "a word for another content",
        {"standing": replace(HELD, status=Status.CHANGED)},
        "trust",
        ERROR,
        "changed since you allowed it",
        "devmount trust",
    ),
    (
        "words that cannot be read",
        {"untold": DevmountError("not yours")},
        "trust",
        ERROR,
        "not yours",
        "devmount trust",
    ),
    (
        "a check that goes wrong",
        {"failed": (("ports", DevmountError("the engine went away")),)},
        "ports",
        WARNING,
        "could not be checked: the engine went away",
        "run devmount doctor again",
    ),
]


@pytest.mark.parametrize(
    ("facts", "check", "level", "message", "mend"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_is_wrong_is_told_with_its_mend(
    facts: dict[str, Any], check: str, level: Level, message: str, mend: str
) -> None:
    found = [finding for finding in of(replace(WELL, **facts), check) if finding.level is not Level.OK]
    assert [finding.level for finding in found] == [level]
    assert message in found[0].message
    assert mend in found[0].mend
    bad = [finding for finding in findings(replace(WELL, **facts)) if finding.level is not Level.OK]
    assert bad == found, "nothing else is found wrong"


@pytest.mark.parametrize(
    ("facts", "check", "message"),
    [
        ({"engine": replace(DOCKER, is_rootless=True)}, "users", "root in a container is you"),
        ({"selinux_enforcing": True}, "selinux", "does not separate containers by it"),
        (
            {"engine": PODMAN, "selinux_enforcing": True, "label": "system_u:object_r:container_file_t:s0"},
            "selinux",
            "labelled for containers",
        ),
        ({"engine": DESKTOP, "shared": ("/home",)}, "sharing", "shares the project's folder"),
        ({"without_events": "nfs", "project": POLLED}, "file system", "the file says poll"),
        ({"project": WITH_PORT}, "ports", "8000: free"),
        ({"images": (ImageFact("app", "a:1", False, None),)}, "images", "a:1 is not here yet: it is pulled"),
        ({"images": (ImageFact("app", "b:1", True, None),)}, "images", "b:1 is not here yet: it is built"),
        ({"standing": replace(HELD, status=Status.ALLOWED)}, "trust", "it is allowed"),
        ({"has_session": True, "session_log": Path("/run/x.log")}, "session", "one runs here"),
    ],
)
def test_what_is_well_is_told_too(facts: dict[str, Any], check: str, message: str) -> None:
    (finding,) = of(replace(WELL, **facts), check)
    assert (finding.level, finding.mend) == (Level.OK, "")
    assert message in finding.message


def test_what_is_polled_needs_no_watches() -> None:
    assert of(replace(WELL, project=POLLED, inotify=Inotify(9000, 0, 100, 200, 100)), "inotify") == []


def test_what_is_not_on_this_machine_is_not_judged_by_it() -> None:
    far = replace(DOCKER, is_local=False, address="ssh://box", has_selinux=True)
    facts = replace(WELL, engine=far, selinux_enforcing=True, free_bytes=None, project=WITH_PORT)
    assert {finding.check for finding in findings(facts)}.isdisjoint({"selinux", "disk", "ports"})


def test_without_a_file_and_an_engine_both_are_told() -> None:
    facts = Facts(folder=ROOT, now=0.0, problems=(DevmountError("no file", "", "write one"),), **no_engine("refused"))
    assert [(finding.check, finding.level) for finding in findings(facts)] == [("file", ERROR), ("engine", ERROR)]


SOME = [*(case[1] for case in CASES), {}]


@given(st.lists(st.sampled_from(SOME), max_size=6))
def test_whatever_comes_together_each_doubt_has_a_mend(given_facts: list[dict[str, Any]]) -> None:
    merged: dict[str, Any] = {}
    for one in given_facts:
        merged |= one
    for finding in findings(replace(WELL, **merged)):
        assert finding.message
        assert bool(finding.mend) == (finding.level is not Level.OK), finding
