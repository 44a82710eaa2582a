"""The image that stands for the public ones which the templates name."""

import shutil
from pathlib import Path

import pytest

from tests.harness import docker

IMAGE = "devmount-test-templates"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BUILD_SECONDS = 1500


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its name. It is built once; afterwards the engine's cache has it."""
    context = tmp_path_factory.mktemp("image")
    shutil.copytree(Path(__file__).parent / "image", context, dirs_exist_ok=True)
    (context / "certificates.pem").write_bytes(CERTIFICATES.read_bytes() if CERTIFICATES.is_file() else b"")
    docker("build", "--quiet", "--tag", IMAGE, str(context), timeout=BUILD_SECONDS)
    return IMAGE
