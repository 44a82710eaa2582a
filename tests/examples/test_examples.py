"""Every example, as its README says: started, edited, seen, stopped, and nothing left."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import REPOSITORY, Up, devmount, edit, get, leftovers, remove, wait_for_page

# The first build of an example downloads its packages.
pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

BUILD_SECONDS = 800
CTRL_C_EXIT = 130
EXAMPLES = ("flask", "flask-redis", "go", "node", "static")


class Example:
    """A copy of an example in a folder and under a project name of its own, at a port the engine picks."""

    def __init__(self, name: str, temporary: Path) -> None:
        self.folder = temporary / name
        self.project = f"test-{name}-{uuid.uuid4().hex[:8]}"
        shutil.copytree(REPOSITORY / "examples" / name, self.folder)
        local = f'name = "{self.project}"\n[app]\nports = ["0:8000"]\n'
        (self.folder / ".devmount.local.toml").write_text(local)

    def up(self) -> Up:
        return Up(self.folder)


@pytest.fixture
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Example]:
    made = Example(request.param, tmp_path)
    yield made
    remove(made.project)


def stop_and_check(example: Example, up: Up) -> None:
    """Ctrl-C ends the session and its containers; ``down --volumes`` leaves nothing."""
    assert up.stop() == CTRL_C_EXIT, up.report()
    assert up.all("stopped"), up.report()
    down = devmount(example.folder, "down", "--volumes", "--yes")
    assert down.returncode == 0, down.stderr
    assert leftovers(example.project) == []


def check_restart(example: Example, file: str) -> None:
    """The greeting in ``file`` is edited: one restart of the app, in the container that was there."""
    with example.up() as up:
        up.wait("ready", BUILD_SECONDS, service="app")
        assert "Hello from the container" in get(up.url())
        mark = up.mark()
        edit(example.folder / file, "Hello from the container", "Hello after the edit")
        reload = up.wait("reload", service="app", since=mark)
        assert reload["action"] == "restart"
        assert reload["files"] == [file]
        wait_for_page(up.url(), "Hello after the edit")
        up.wait("ready", service="app", since=mark)
        assert len(up.all("reload", since=mark)) == 1, up.report()
        stop_and_check(example, up)


@pytest.mark.parametrize(
    ("example", "file"), [("flask", "app.py"), ("node", "server.js")], indirect=["example"], ids=["flask", "node"]
)
def test_a_save_restarts_the_program(example: Example, file: str) -> None:
    check_restart(example, file)


@pytest.mark.parametrize("example", ["go"], indirect=True)
def test_a_compiled_program_is_built_and_restarted(example: Example) -> None:
    check_restart(example, "main.go")


@pytest.mark.parametrize("example", ["go"], indirect=True)
def test_a_compile_error_leaves_the_old_program_running(example: Example) -> None:
    with example.up() as up:
        up.wait("ready", BUILD_SECONDS, service="app")
        mark = up.mark()
        edit(example.folder / "main.go", "fmt.Fprintln(", "fmt.Fprintln(((")
        up.wait("error", since=mark)
        assert "Hello from the container" in get(up.url())
        edit(example.folder / "main.go", 'fmt.Fprintln(((w, "Hello from the container")', 'fmt.Fprintln(w, "Mended")')
        wait_for_page(up.url(), "Mended")
        stop_and_check(example, up)


@pytest.mark.parametrize("example", ["flask-redis"], indirect=True)
def test_the_companions_volume_outlives_the_containers(example: Example) -> None:
    with example.up() as up:
        up.wait("ready", BUILD_SECONDS, service="app")
        ready = [row["service"] for row in up.all("ready")]
        assert ready.index("redis") < ready.index("app")
        assert get(up.url()) == "Visits: 1\n"
        mark = up.mark()
        edit(example.folder / "app.py", "Visits:", "Seen:")
        assert up.wait("reload", service="app", since=mark)["action"] == "restart"
        wait_for_page(up.url(), "Seen: ")
        assert up.all("reload", service="redis") == []
        count = int(get(up.url()).split()[1])
        assert up.stop() == CTRL_C_EXIT, up.report()
    down = devmount(example.folder, "down")
    assert down.returncode == 0, down.stderr
    with example.up() as up:
        up.wait("ready", BUILD_SECONDS, service="app")
        assert get(up.url()) == f"Seen: {count + 1}\n"
        stop_and_check(example, up)


@pytest.mark.parametrize("example", ["static"], indirect=True)
def test_nginx_reads_pages_by_itself_and_its_configuration_at_a_signal(example: Example) -> None:
    with example.up() as up:
        up.wait("ready", BUILD_SECONDS, service="app")
        assert get(up.url("/setting")) == "first setting\n"

        mark = up.mark()
        edit(example.folder / "html" / "index.html", "Hello from the container", "Hello after the edit")
        up.wait("change", since=mark)
        wait_for_page(up.url(), "Hello after the edit")

        edit(example.folder / "nginx.conf", "first setting", "second setting")
        reload = up.wait("reload", predicate=lambda row: row["files"] == ["nginx.conf"], since=mark)
        assert reload["action"] == "signal"
        wait_for_page(up.url("/setting"), "second setting")
        restarting = [row for row in up.all("reload", since=mark) if row["action"] not in ("signal", "none")]
        assert restarting == [], up.report()
        stop_and_check(example, up)


def test_every_example_is_tested_and_in_the_readme() -> None:
    found = sorted(path.name for path in (REPOSITORY / "examples").iterdir() if path.is_dir())
    assert found == sorted(EXAMPLES)
    readme = (REPOSITORY / "README.md").read_text()
    assert [name for name in found if f"examples/{name}" not in readme] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_file_is_valid(name: str) -> None:
    shown = devmount(REPOSITORY / "examples" / name, "config", "--json", env={"HOME": os.environ.get("HOME", "/")})
    assert shown.returncode == 0, shown.stderr
