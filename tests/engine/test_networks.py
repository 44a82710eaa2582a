"""What every engine does with a project's network."""

from dataclasses import replace

import pytest

from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.model import Project
from tests.engines import Begin, output

pytestmark = pytest.mark.engine

# The address that a name stands for; a name server may learn of a container a moment after its start.
RESOLVE = """
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    if getent hosts db >/tmp/found; then exec cut -d' ' -f1 /tmp/found; fi
    sleep 0.2
done
echo unknown
"""


def test_services_find_each_other_by_name(engine: Engine, begin: Begin) -> None:
    db = begin("sleep 1000", name="db")
    _, addresses = engine.exec_output(db.id, ["hostname", "-I"])
    assert output(engine, begin(RESOLVE)) == addresses.decode().split()[:1]


def test_a_name_of_another_project_is_not_found(engine: Engine, begin: Begin) -> None:
    assert output(engine, begin("getent hosts db || echo unknown")) == ["unknown"]


def test_the_network_is_made_once_and_removed_by_its_label(engine: Engine, project: Project) -> None:
    other = replace(project, name=f"work{project.name}")
    try:
        engine.ensure_network(other)
        engine.ensure_network(project)
        engine.ensure_network(project)
        assert engine.remove_networks(project.name) == [specs.network_name(project)]
        assert engine.remove_networks(project.name) == []
    finally:
        assert engine.remove_networks(other.name) == [specs.network_name(other)]
