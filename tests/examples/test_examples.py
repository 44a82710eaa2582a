"""Every example, as its README says: started, edited, seen, stopped, and nothing left."""

import os
import shutil
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import REPOSITORY, Up, devmount, edit, get, leftovers, remove, wait_for_page

# The first build of an example downloads its packages.
pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

BUILD_SECONDS = 800
CTRL_C_EXIT = 130
EXAMPLES = ("file-server", "flask", "flask-redis", "go", "node", "postgres", "static")


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
    assert up.stop(40) == CTRL_C_EXIT, up.report()
    assert up.all("stopped"), up.report()
    down = devmount(example.folder, "down", "--volumes", "--yes")
    assert down.returncode == 0, down.stderr
    assert leftovers(example.project) == []


def send(url: str, method: str, content: bytes) -> str:
    """What the server answers to ``content``."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, content, method=method), timeout=5) as response:
            body: bytes = response.read()
    except urllib.error.HTTPError as error:
        with error:
            return f"no answer: {error.code}"
    return body.decode()


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


@pytest.mark.parametrize("example", ["postgres"], indirect=True)
def test_notes_outlive_the_database_and_the_app(example: Example) -> None:
    with example.up() as up:
        up.wait("ready", BUILD_SECONDS, service="app")
        assert get(up.url()) == "Notes:\n"
        assert send(up.url(), "POST", b"buy milk") == "Noted.\n"
        mark = up.mark()
        edit(example.folder / "app.py", '"Notes:"', '"To do:"')
        assert up.wait("reload", service="app", since=mark)["action"] == "restart"
        wait_for_page(up.url(), "To do:\n- buy milk")
        edit(example.folder / "db" / "start", "set -e", "set -eu")
        up.wait("change", since=mark, predicate=lambda row: row["files"][0]["path"] == "db/start")
        assert up.stop(40) == CTRL_C_EXIT, up.report()
        assert up.all("reload", service="db") == []
    down = devmount(example.folder, "down")
    assert down.returncode == 0, down.stderr
    with example.up() as up:
        up.wait("ready", BUILD_SECONDS, service="app")
        assert get(up.url()) == "To do:\n- buy milk\n"
        stop_and_check(example, up)


@pytest.mark.parametrize("example", ["file-server"], indirect=True)
def test_what_one_service_takes_the_other_lists(example: Example) -> None:
    local = example.folder / ".devmount.local.toml"
    local.write_text(local.read_text() + '[services.list]\nports = ["0:8001"]\n')
    with example.up() as up:
        for service in ("app", "list"):
            up.wait("ready", BUILD_SECONDS, service=service)
        sent = os.urandom(300_000)
        assert send(up.url("/photo.raw"), "PUT", sent) == "Took photo.raw.\n"
        assert send(up.url("/..%2f..%2fetc%2fpasswd"), "PUT", b"x") == "no answer: 404"
        assert get(up.url()) == "1 files so far.\n"
        assert "photo.raw" in get(up.url(service="list"))
        with urllib.request.urlopen(up.url("/photo.raw", service="list"), timeout=5) as response:
            assert response.read() == sent
        refused = devmount(example.folder, "exec", "list", "--", "touch", "/srv/uploads/mine")
        assert "Read-only file system" in refused.stderr + refused.stdout
        volumes = devmount(example.folder, "volume", "ls")
        assert "app:/srv/uploads, list:/srv/uploads (read-only)" in volumes.stdout
        assert up.stop(40) == CTRL_C_EXIT, up.report()
    assert devmount(example.folder, "down").returncode == 0
    with example.up() as up:
        up.wait("ready", BUILD_SECONDS, service="list")
        assert "photo.raw" in get(up.url(service="list"))
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
