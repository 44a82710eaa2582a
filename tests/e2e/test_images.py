"""Images: pulled, built by either builder, built again when their recipe changed."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Make
from tests.e2e.registry import Registry
from tests.harness import Up, containers, devmount, docker

pytestmark = pytest.mark.engine

DOCKERFILE = """FROM debian:bookworm-slim AS base
ARG WORD=none
ENV WORD=$WORD
CMD ["sh", "-c", "echo $WORD; sleep 1000"]
FROM base AS other
CMD ["sh", "-c", "echo other $WORD; sleep 1000"]
"""


def test_an_image_is_pulled_with_its_progress_shown(make: Make) -> None:
    with Registry("debian:bookworm-slim") as registry:
        folder = make(f'[app]\nimage = "{registry.reference}"\nmount = "/work"\nstop_timeout = "0s"\n')
        try:
            with Up(folder) as up:
                up.wait("log", predicate=lambda row: row["line"] == "pulled")
                steps = [row["step"] for row in up.all("build", service="app")]
                assert any("% of" in step for step in steps), steps
                assert up.stop() == 130
            with Up(folder) as up:
                up.wait("started")
                assert up.all("build") == []
        finally:
            devmount(folder, "down")
            docker("rmi", registry.reference)


def test_an_image_that_cannot_be_pulled_is_said_and_starts_nothing(make: Make) -> None:
    folder = make('[app]\nimage = "127.0.0.1:1/nothing:here"\n')
    done = devmount(folder, "up")
    assert done.returncode == 1
    assert "127.0.0.1:1/nothing:here" in done.stderr
    assert "Traceback" not in done.stderr
    assert containers(folder.name) == []


@pytest.fixture
def without_cli(tmp_path: Path) -> dict[str, str]:
    """An environment in which there is no docker CLI, so that the SDK's builder is used."""
    empty = tmp_path / "empty"
    empty.mkdir()
    return {"PATH": str(empty)}


@pytest.mark.parametrize("builder", ["cli", "sdk"])
def test_an_image_is_built_with_its_target_and_arguments(make: Make, builder: str, without_cli: dict[str, str]) -> None:
    environment = without_cli if builder == "sdk" else {}
    toml = '[app]\nbuild = { context = ".", target = "other", args = { WORD = "hello" } }\nstop_timeout = "0s"\n'
    folder = make(toml, {"Dockerfile": DOCKERFILE})
    try:
        with Up(folder, env=environment) as up:
            up.wait("log", predicate=lambda row: row["line"] == "other hello")
            assert up.all("build")
            assert up.stop() == 130
        with Up(folder, env=environment) as up:
            up.wait("started")
            assert up.all("build") == []
            assert up.stop() == 130
        with Up(folder, "--build", env=environment) as up:
            up.wait("started")
            assert up.all("build")
            assert up.stop() == 130
        file = folder / ".devmount.toml"
        file.write_text(file.read_text().replace("hello", "changed"))
        with Up(folder, env=environment) as up:
            up.wait("log", predicate=lambda row: row["line"] == "other changed")
            assert up.stop() == 130
    finally:
        devmount(folder, "down")
        docker("rmi", f"{folder.name}-app:devmount")


@pytest.mark.parametrize("builder", ["cli", "sdk"])
def test_a_failed_build_shows_its_last_lines_and_creates_nothing(
    make: Make, builder: str, without_cli: dict[str, str]
) -> None:
    dockerfile = "FROM debian:bookworm-slim\nRUN echo the reason && exit 9\n"
    folder = make('[app]\nbuild = "."\n', {"Dockerfile": dockerfile})
    done = devmount(folder, "up", env=without_cli if builder == "sdk" else {})
    assert done.returncode == 1
    assert "cannot be built" in done.stderr
    assert "the reason" in done.stderr + done.stdout
    assert containers(folder.name) == []
