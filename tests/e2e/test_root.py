"""The project folder itself goes, and is made again, under a running session."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import Up, save, wait_for_page

pytestmark = pytest.mark.engine


def test_a_project_folder_that_is_renamed_and_comes_back(server: Callable[..., Path], tmp_path: Path) -> None:
    folder = server()
    with Up(folder) as up:
        up.wait("ready", service="app")
        mark = up.mark()
        away = folder.rename(tmp_path / "away")
        up.wait("warning", predicate=lambda row: "is gone" in row["message"], since=mark)
        (away / "text").write_text("two")
        away.rename(folder)
        up.wait("warning", predicate=lambda row: "is there again" in row["message"], since=mark)
        wait_for_page(up.url(), "two")
        mark = up.mark()
        save(folder / "text", "three")
        up.wait("reload", since=mark)
        wait_for_page(up.url(), "three")


def test_a_project_folder_that_is_removed_and_made_again(server: Callable[..., Path], tmp_path: Path) -> None:
    """The container's mount holds the folder that is gone: it is replaced, and shows the new one."""
    folder = server()
    with Up(folder) as up:
        up.wait("ready", service="app")
        copy = shutil.copytree(folder, tmp_path / "copy")
        mark = up.mark()
        shutil.rmtree(folder)
        up.wait("warning", predicate=lambda row: "is gone" in row["message"], since=mark)
        (copy / "text").write_text("two")
        copy.rename(folder)
        up.wait("warning", predicate=lambda row: "is there again" in row["message"], since=mark)
        up.wait("reload", predicate=lambda row: row["action"] == "recreate", since=mark)
        wait_for_page(up.url(), "two")
        mark = up.mark()
        save(folder / "text", "three")
        up.wait("reload", since=mark)
        wait_for_page(up.url(), "three")
