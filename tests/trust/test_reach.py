"""What needs a word is decided from data alone."""

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devmount.model import Build, Mount, MountType, Project, Service, Volume
from devmount.trust.reach import Here, digest, reaches

ROOT = Path("/home/me/shop")
HERE = Here(home=Path("/home/me"), engines=(Path("/run/docker.sock"),), agents=(Path("/tmp/ssh/agent"),))
names = st.text("abc.", min_size=1, max_size=3).filter(lambda name: name.strip("."))
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: str(PurePosixPath("/", *parts)))


def project(**changes: Any) -> Project:
    app = replace(Service("app", image="x", mount=""), **changes)
    return Project("shop", ROOT, (ROOT / ".devmount.toml",), {"app": app})


def asked(project: Project, env_files: dict[Path, str] | None = None) -> list[str]:
    return [f"{reach.service} {reach.words}".strip() for reach in reaches(project, env_files or {}, HERE)]


def bound(found: str, source: str = "") -> list[str]:
    return asked(project(mounts=(Mount(MountType.BIND, source or found, "/x", found=found),)))


@given(paths, paths)
def test_what_leads_into_the_project_is_not_asked_about_wherever_it_begins(inside: str, source: str) -> None:
    assert bound(f"{ROOT}{inside}", source) == []


@given(paths)
def test_what_leads_outside_is_asked_about_wherever_it_begins(outside: str) -> None:
    (line,) = bound(outside, f"{ROOT}/data")
    assert outside in line
    assert line.endswith("; data in the project is a link to it")


def test_a_folder_whose_name_begins_like_the_projects_is_outside() -> None:
    assert bound(f"{ROOT}2") == [f"app can read and change {ROOT}2, in your home folder"]
    assert bound(f"{ROOT}") == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/run/docker.sock", "can use the engine's socket /run/docker.sock: whoever has it is root on this machine"),
        ("/run", "can read and change /run, which holds an engine's socket: whoever has it is root on this machine"),
        ("/tmp/ssh", "can read and change /tmp/ssh, which holds the socket of an agent with your keys"),
        ("/home", "can read and change /home, which holds your home folder"),
        ("/home/me/.aws/credentials", "can read and change /home/me/.aws/credentials, where your AWS credentials are"),
        ("/home/me/.config", "can read and change /home/me/.config, where your Google Cloud credentials are"),
        ("/home/me/music", "can read and change /home/me/music, in your home folder"),
        ("/usr/share", "can read and change /usr/share, a part of this machine's system"),
        ("/srv/data", "can read and change /srv/data"),
    ],
)
def test_how_bad_it_is_is_said(path: str, words: str) -> None:
    assert bound(path) == [f"app {words}"]


def test_a_project_folder_that_holds_more_than_the_project_is_asked_about() -> None:
    broad = replace(project(), root=Path("/home"))
    assert asked(broad) == ["the project folder itself, /home, holds your home folder"]
    assert asked(replace(broad, services={"app": Service("app", image="x")})) == []


def test_a_build_in_the_project_is_free_and_its_dockerfile_too() -> None:
    inside = Build(ROOT / "img", found=ROOT / "Dockerfile")
    assert asked(project(build=inside)) == []
    assert asked(project(build=Build(Path("/srv/img"), found=Path("/srv/img/Dockerfile")))) == [
        "app is built from the folder /srv/img: all of it goes to the builder"
    ]
    assert asked(project(build=replace(inside, found=Path("/srv/Dockerfile")))) == [
        "app is built by the Dockerfile /srv/Dockerfile"
    ]


def test_env_files_are_asked_about_by_whose_they_are() -> None:
    files = {ROOT / ".env": "app", Path("/srv/a"): "app", Path("/srv/b"): ""}
    assert asked(project(), files) == [
        "takes variables from /srv/b, through .env",
        "app gets the variables in /srv/a",
    ]


def test_a_password_in_the_options_of_a_volume_is_not_told_and_counts() -> None:
    def of(password: str) -> tuple[str, tuple[str, ...]]:
        volume = Volume("v", "shop_v", options={"type": "cifs", "device": "//host/x", "o": f"password={password}"})
        (reach,) = reaches(replace(project(), volumes={"v": volume}), {}, HERE, {"volumes.v.options.o"})
        return reach.words, reach.facts

    assert (
        of("one")[0] == "has the volume v mounted with device=//host/x, o=********, type=cifs: it holds what that names"
    )
    assert of("one")[0] == of("two")[0]
    assert of("one")[1] != of("two")[1]


EFFECTIVE = {"app": {"image": "x", "environment": {"A": "1"}}, "services": {}}


def content(**changes: Any) -> str:
    given: dict[str, Any] = {"texts": {"f": "t"}, "profile": None, "effective": EFFECTIVE, **changes}
    it = given.pop("project", project(privileged=True))
    return digest(it, reaches(it, {}, HERE), **given)


def test_what_counts_of_a_content() -> None:
    other = {**EFFECTIVE, "app": {"image": "y", "environment": {"A": "1"}}}
    added = {**EFFECTIVE, "app": {"image": "x", "environment": {"A": "1", "B": "1"}}}
    companion = {**EFFECTIVE, "services": {"db": {"image": "x", "environment": {}}}}
    differing = {
        content(),
        content(texts={"f": "T"}),
        content(texts={"f": "t", "g": ""}),
        content(profile="p"),
        content(effective=other),
        content(effective=added),
        content(effective=companion),
        content(project=project(privileged=True, network="host")),
        content(project=replace(project(privileged=True), root=Path("/srv"))),
    }
    assert len(differing) == 9
    assert content(effective={**EFFECTIVE, "app": {"image": "x", "environment": {"A": "2"}}}) == content()
