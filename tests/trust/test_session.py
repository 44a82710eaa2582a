"""A running session: a file that comes to ask for more is not taken up before the word is given."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Make
from tests.harness import Up, containers, devmount, docker, save

pytestmark = pytest.mark.engine

TOML = """
[app]
image = "debian:bookworm-slim"
command = ["sh", "-c", "cat /x/secret 2>/dev/null; echo up; exec sleep 1000"]
stop_timeout = "0s"
"""
ASKS = "the project now asks for what needs your word; what ran before runs on"


def mounts(folder: Path) -> list[str]:
    """The sources of the app's binds, the project folder apart."""
    (container,) = containers(folder.name, running=True)
    shown = docker("inspect", "--format", "{{range .Mounts}}{{println .Source}}{{end}}", container)
    return [source for source in shown.split() if source != str(folder)]


def test_a_file_that_comes_to_reach_outside_waits_for_the_word(make: Make, tmp_path: Path) -> None:
    folder = make(TOML)
    with Up(folder) as up:
        up.wait("log", predicate=lambda row: row["line"] == "up")
        before = containers(folder.name)
        for asked in ("privileged = true\n", 'network = "host"\n', f'mounts = ["{tmp_path}/outside:/x"]\n'):
            mark = up.mark()
            save(folder / ".devmount.toml", f'name = "{folder.name}"\n{TOML}{asked}')
            error = up.wait("error", since=mark)
            assert error["message"] == ASKS
            assert error["hint"].endswith(": devmount trust")
            assert containers(folder.name) == before
        assert f"app can read and change {tmp_path}/outside" in error["where"]
        mark = up.mark()
        assert devmount(folder, "restart").returncode == 0
        up.wait("log", since=mark, predicate=lambda row: row["line"] == "up")
        assert mounts(folder) == []
        mark = up.mark()
        done = devmount(folder, "trust", "--yes")
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("the running session has taken it up\n")
        up.wait("log", since=mark, predicate=lambda row: row["line"] == "PASSWORD=hunter2")
        assert mounts(folder) == [f"{tmp_path}/outside"]
        up.stop()


def test_a_program_that_writes_the_project_file_gets_nothing_by_it(make: Make) -> None:
    folder = make(
        """
[app]
image = "debian:bookworm-slim"
mount = "/work"
command = ["sh", "-c", "[ -e evil ] && cat evil > .devmount.toml; echo up; exec sleep 1000"]
stop_timeout = "0s"
"""
    )
    evil = (folder / ".devmount.toml").read_text() + 'mounts = ["/var/run/docker.sock:/s"]\nprivileged = true\n'
    with Up(folder) as up:
        up.wait("log", predicate=lambda row: row["line"] == "up")
        mark = up.mark()
        save(folder / "evil", evil)
        # the shell writes in place: the file may be read half-written first, which is another error
        error = up.wait("error", since=mark, predicate=lambda row: row["message"] == ASKS)
        assert "the engine's socket" in error["where"]
        assert mounts(folder) == []
        (container,) = containers(folder.name, running=True)
        assert docker("inspect", "--format", "{{.HostConfig.Privileged}}", container) == "false"
        up.stop()


def test_a_link_that_comes_to_lead_outside_is_another_project(make: Make, tmp_path: Path) -> None:
    folder = make(TOML + 'mounts = ["./data:/x"]\n', {"one/secret": "one\n", "two/secret": "two\n"})
    (folder / "data").symlink_to("one")

    def lead(target: str) -> None:
        (folder / "new").symlink_to(target)
        (folder / "new").rename(folder / "data")

    with Up(folder) as up:
        up.wait("log", predicate=lambda row: row["line"] == "one")
        mark = up.mark()
        lead("two")
        up.wait("log", since=mark, predicate=lambda row: row["line"] == "two")
        assert mounts(folder) == [f"{folder}/two"]
        mark = up.mark()
        lead(f"{tmp_path}/outside")
        error = up.wait("error", since=mark)
        assert error["message"] == ASKS
        assert f"{tmp_path}/outside; data in the project is a link to it" in error["where"]
        assert mounts(folder) == [f"{folder}/two"]
        up.stop()
    assert {row["line"] for row in up.all("log")} == {"one", "two", "up"}
    done = devmount(folder, "start")
    assert done.returncode == 1
    assert containers(folder.name, running=True) == []


def test_an_env_file_that_becomes_a_link_to_the_outside_is_not_read_into_the_container(
    make: Make, tmp_path: Path
) -> None:
    folder = make(
        TOML.replace("cat /x/secret 2>/dev/null", "printenv PASSWORD") + 'env_files = ["app.env"]\n',
        {"app.env": "PASSWORD=none\n"},
    )
    with Up(folder) as up:
        up.wait("log", predicate=lambda row: row["line"] == "none")
        mark = up.mark()
        (folder / "new").symlink_to(tmp_path / "outside" / "secret")
        (folder / "new").rename(folder / "app.env")
        error = up.wait("error", since=mark)
        assert error["message"] == ASKS
        assert f"app gets the variables in {tmp_path}/outside/secret" in error["where"]
        up.stop()
    assert "hunter2" not in str(up.events) + up.stderr


def test_a_dockerfile_that_becomes_a_link_is_not_built(make: Make, tmp_path: Path) -> None:
    folder = make(
        TOML.replace('image = "debian:bookworm-slim"', 'build = "."'), {"Dockerfile": "FROM debian:bookworm-slim\n"}
    )
    try:
        with Up(folder) as up:
            up.wait("log", predicate=lambda row: row["line"] == "up")
            before = docker("image", "inspect", "--format", "{{.Id}}", f"{folder.name}-app:devmount")
            mark = up.mark()
            (folder / "new").symlink_to(tmp_path / "outside" / "secret")
            (folder / "new").rename(folder / "Dockerfile")
            error = up.wait("error", since=mark)
            assert "leads elsewhere than when the project file was read" in error["message"]
            up.stop()
        assert docker("image", "inspect", "--format", "{{.Id}}", f"{folder.name}-app:devmount") == before
        assert "hunter2" not in str(up.events) + up.stderr
    finally:
        devmount(folder, "down")
        docker("rmi", f"{folder.name}-app:devmount")
