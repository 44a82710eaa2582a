"""Folders of the project that live in volumes: node_modules, .venv, target."""

import os
from collections.abc import Callable

import pytest

from tests.harness import Up, devmount, docker, save
from tests.volumes.conftest import Box

pytestmark = pytest.mark.engine

Make = Callable[..., Box]

DOCKERFILE = """
FROM debian:bookworm-slim
WORKDIR /srv/app
COPY deps.lock ./
RUN mkdir -p node_modules/tool web/target && cp deps.lock node_modules/tool/version && echo made >web/target/out
"""
TOML = """
[app]
build = "."
command = "sh -c 'cat node_modules/tool/version; touch node_modules/mine && echo told; exec sleep 1000'"
shadow = [{ path = "node_modules", keyed_by = "deps.lock" }, "web/target"]
"""


@pytest.fixture
def project(box: Make) -> Box:
    """A project whose image brings what its lock file names, and whose host has a node_modules of its own."""
    one = box(TOML)
    (one.folder / "Dockerfile").write_text(DOCKERFILE)
    (one.folder / "deps.lock").write_text("version 1\n")
    (one.folder / "node_modules").mkdir()
    (one.folder / "node_modules" / "of the host").write_text("untouched")
    return one


def up(box: Box) -> Up:
    return Up(box.folder, env=box.env)


def version(session: Up, since: int = 0) -> str:
    """What the program found in its node_modules; it could write there too."""
    session.wait("log", service="app", predicate=lambda row: row["line"] == "told", since=since)
    found: str = session.wait("log", service="app", predicate=lambda row: "version" in row["line"], since=since)["line"]
    return found


def test_a_lock_files_change_is_taken_up(project: Box) -> None:
    with up(project) as session:
        assert version(session) == "version 1"
        first = set(project.volumes())
        assert {name.split(".")[1] for name in first} == {"node_modules", "web"}
        container = session.wait("started", service="app")["container"]
        mounts = docker("inspect", "--format", "{{range .Mounts}}{{.Type}} {{.Name}}\n{{end}}", container).splitlines()
        # all that is mounted is the project's folder and its named volumes: no anonymous one
        assert {line.split()[1] for line in mounts if line.startswith("volume")} == first
        assert (project.folder / "web" / "target").is_dir()
        assert list((project.folder / "web" / "target").iterdir()) == []
        mark = session.mark()
        save(project.folder / "deps.lock", "version 2\n")
        reload = session.wait("reload", service="app", since=mark)
        assert (reload["action"], reload["rule"], reload["files"]) == ("rebuild", "lock file", ["deps.lock"])
        assert version(session, mark) == "version 2"
        told = session.wait("warning", since=mark)["message"]
        [old] = first - {f"{project.name}_app.web.target"}
        assert old in told
        assert "devmount volume prune" in told
        assert first < set(project.volumes())
        assert session.stop() == 130
    assert os.listdir(project.folder / "node_modules") == ["of the host"]
    assert (project.folder / "node_modules" / "of the host").read_text() == "untouched"
    offered = project.run("prune").stderr
    assert old in offered
    assert "web.target" not in offered
    # a change while nothing runs; then back to what was there before
    save(project.folder / "deps.lock", "version 3\n")
    with up(project) as session:
        assert version(session) == "version 3"
        assert session.stop() == 130
    save(project.folder / "deps.lock", "version 1\n")
    with up(project) as session:
        assert version(session) == "version 1"
        assert session.all("build") == []  # the volume is there still
        assert session.stop() == 130
    devmount(project.folder, "down", env=project.env)
    project.do("prune", "--yes")
    assert set(project.volumes()) == first
    project.do("rm", "app.node_modules", "--yes")
    assert project.volumes() == [f"{project.name}_app.web.target"]


def test_a_failed_build_leaves_the_old_container_and_its_volume(project: Box) -> None:
    with open(project.folder / "Dockerfile", "a") as file:
        file.write("RUN ! grep broken deps.lock\n")
    with up(project) as session:
        assert version(session) == "version 1"
        before = project.volumes()
        container = session.wait("started", service="app")["container"]
        mark = session.mark()
        save(project.folder / "deps.lock", "broken\n")
        session.wait("error", since=mark)
        assert docker("inspect", "--format", "{{.State.Running}}", container) == "true"
        assert project.volumes() == before
        save(project.folder / "deps.lock", "version 2\n")
        assert version(session, mark) == "version 2"


def test_without_an_image_to_fill_it_the_folder_is_empty_and_yours(box: Make) -> None:
    """As with .venv, which the program makes; a missing lock file is told, and its coming is a change."""
    one = box(
        '[app]\nimage = "debian:bookworm-slim"\nshadow = [{ path = ".venv", keyed_by = "a.lock" }]\n'
        "command = \"sh -c 'ls -A .venv | wc -l; touch .venv/made; stat -c %u .venv; echo told; exec sleep 1000'\"\n"
    )
    with up(one) as session:
        session.wait("log", predicate=lambda row: row["line"] == "told")
        assert [row["line"] for row in session.all("log")] == ["0", str(os.getuid()), "told"]
        assert "there is no a.lock" in session.stderr
        mark = session.mark()
        save(one.folder / "a.lock", "x")
        assert session.wait("reload", since=mark)["action"] == "recreate"
        session.wait("log", predicate=lambda row: row["line"] == "told", since=mark)
        assert session.all("log", since=mark)[0]["line"] == "0"
    rows = one.do("ls")
    assert "app:.venv" in rows


def test_run_has_the_shadows_too(project: Box) -> None:
    done = devmount(project.folder, "run", "--", "cat", "node_modules/tool/version", env=project.env, timeout=120)
    assert done.stdout == "version 1\n", done.stderr
    save(project.folder / "deps.lock", "version 2\n")
    done = devmount(project.folder, "run", "--", "cat", "node_modules/tool/version", env=project.env, timeout=120)
    assert done.stdout == "version 2\n", done.stderr
