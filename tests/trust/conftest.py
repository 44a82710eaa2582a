"""A user with a home folder of their own, who trusts nothing yet."""

from pathlib import Path

import pytest

from tests.e2e.conftest import make as make


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder, with keys in it; the folder beside it, ``outside``, is nobody's project."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text("a private key\n")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("PASSWORD=hunter2\n")
    (tmp_path / "outside" / "Dockerfile").write_text("FROM debian:bookworm-slim\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return home
