"""SIGKILL to devmount, its helper and the engine, one moment for each command; ``make soak-volumes`` does many more."""

import random
from collections.abc import Iterator

import pytest

from tests import ownengine
from tests.volumes.faults import PAIRS, Faults, started

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(bool(ownengine.missing()), reason=ownengine.missing()),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    with started(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.mark.parametrize(("kind", "operation"), PAIRS)
def test_nothing_is_lost_or_left_when_it_is_killed(faults: Faults, kind: str, operation: str) -> None:
    """The moment is drawn, the same in every run."""
    faults.moment(kind, operation, random.Random(f"{kind} {operation}").uniform(0.3, 1.0))
