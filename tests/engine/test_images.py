"""What every engine does with images: they are built, known again, and what fails is said."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devmount.engine import images
from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import Build, Project
from tests.engines import IMAGE, Begin, output

pytestmark = pytest.mark.engine

DOCKERFILE = f"""\
FROM {IMAGE} AS small
ARG WORD=none
COPY given /srv/given
RUN echo "$WORD" >/srv/word
WORKDIR /srv
CMD ["cat", "given", "word"]
FROM small
RUN false
"""


@pytest.fixture
def built(engine: Engine, project: Project, tmp_path: Path) -> Iterator[Project]:
    """The project with an image that is built; removed afterwards."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "given").write_text("from the folder\n")
    app = replace(project.app, image=None, build=Build(tmp_path, target="small", args={"WORD": "a b"}), user="image")
    made = replace(project, services={"app": app})
    yield made
    name = images.image_name(made, app)
    for container in engine.containers(project.name):
        engine.remove(container.id)
    if images.inspect(engine, name) is not None:
        engine.client.remove_image(name, force=True)


def ensure(engine: Engine, project: Project, said: list[str] | None = None) -> specs.Image:
    collect = said.append if said is not None else lambda line: None
    return images.ensure(engine, project, project.app, collect, build=False)


def test_an_image_is_built_once_with_its_target_and_arguments(engine: Engine, built: Project, begin: Begin) -> None:
    said: list[str] = []
    image = ensure(engine, built, said)
    assert image.command == ("cat", "given", "word")
    assert image.working_dir == "/srv"
    assert any("WORKDIR" in line for line in said)
    again: list[str] = []
    assert ensure(engine, built, again).id == image.id
    assert again == []
    container = begin("cat /srv/given /srv/word", build=None, image=images.image_name(built, built.app), mount=None)
    assert output(engine, container) == ["from the folder", "a b"]


def test_a_build_that_fails_says_what_failed_and_makes_no_image(engine: Engine, built: Project) -> None:
    service = built.app
    assert service.build is not None
    broken = replace(built, services={"app": replace(service, build=replace(service.build, target=None))})
    with pytest.raises(DevmountError) as error:
        ensure(engine, broken)
    assert "cannot be built" in error.value.message
    assert "false" in "\n".join(error.value.lines())
    assert images.inspect(engine, images.image_name(built, service)) is None
