"""The engines that the contract suite runs on: each test here runs once on each of them.

``docker`` is the engine that devmount finds by itself; ``podman`` is the one that scripts/podman prepared, served as
devmount serves it; then come those that DEVMOUNT_TEST_ENGINES names, a list of addresses with spaces between. With
DEVMOUNT_TEST_ONLY they are the only ones (``test_rootless.py``).
"""

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devmount.engine import images, podman
from devmount.engine import spec as specs
from devmount.engine.connect import connect
from devmount.engine.engine import Container, Engine
from devmount.model import Project, Service
from tests.engines import IMAGE, PODMAN_HOME, Begin, podman_environment

NAMED = os.environ.get("DEVMOUNT_TEST_ENGINES", "").split()
ENGINES = NAMED if os.environ.get("DEVMOUNT_TEST_ONLY") else ["docker", "podman", *NAMED]


@pytest.fixture(scope="session")
def docker_engine() -> Engine:
    return Engine(connect(None, os.environ))


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """One engine after the other, each with the image that the tests use."""

    def docker_engine() -> Engine:
        found: Engine = request.getfixturevalue("docker_engine")
        return found

    if request.param == "docker":
        yield docker_engine()
        return
    if request.param == "podman":
        if not PODMAN_HOME.is_dir():
            pytest.skip("no Podman was prepared here (scripts/podman: takes root on Debian or Ubuntu)")
        environment = podman_environment()
        program = podman.program(environment)
        assert program is not None, "scripts/podman has run, and yet podman is not on the PATH"
        service = podman.Service(program, environment)
        try:
            other = Engine(connect(service.url, environment))
            carry_image(docker_engine, other)
            yield other
        finally:
            service.close()
        return
    other = Engine(connect(request.param, os.environ))
    carry_image(docker_engine, other)
    yield other


def carry_image(source: Callable[[], Engine], target: Engine) -> None:
    """Give ``target`` the tests' image from ``source`` where it does not have it."""
    if images.inspect(target, IMAGE) is not None:
        return
    for _ in target.client.load_image(b"".join(source().client.get_image(IMAGE))):
        pass
    if target.is_podman():  # which loads it as localhost/debian
        repository, _, tag = IMAGE.partition(":")
        target.client.tag(f"localhost/{IMAGE}", f"docker.io/library/{repository}", tag)


@pytest.fixture
def project(engine: Engine, tmp_path: Path) -> Iterator[Project]:
    """A project with an app, in a folder of its own; what it leaves on the engine is removed."""
    name = f"devmount-test-{uuid.uuid4().hex[:8]}"
    service = Service("app", image=IMAGE, mount="", user="host")
    yield Project(name, tmp_path, (tmp_path / ".devmount.toml",), {"app": service})
    for container in engine.containers(name):
        engine.remove(container.id)
    for one_off in engine.one_offs(name):
        engine.remove(one_off)
    engine.remove_networks(name)
    for volume in engine.volumes(name):
        engine.remove_volume(volume)


@pytest.fixture
def begin(engine: Engine, project: Project) -> Begin:
    """Start a container: ``begin(script, name="app", supervised=False, host=None, **changes_to_the_service)``."""

    def start(
        script: str, *, name: str = "app", supervised: bool = False, host: specs.Host | None = None, **changes: Any
    ) -> Container:
        service = replace(project.app, name=name, command=("sh", "-c", script), **changes)
        image = images.ensure(engine, project, service, lambda line: None, build=False)
        engine.ensure_network(project)
        host = host or specs.this_host(rootless=engine.is_rootless())
        container = engine.create(specs.spec(project, service, image, host, supervised=supervised))
        engine.start(container, name)
        return engine.inspect(container)

    return start
