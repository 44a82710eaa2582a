"""Real editors: a save is one reload, which names the file; opening and closing without saving is none."""

import uuid
from collections.abc import Callable

import pytest

from tests.editors.conftest import BOUND, Terminal, Watched, thrice
from tests.harness import wait_until

pytestmark = pytest.mark.engine

Start = Callable[..., Terminal]

# backupcopy decides whether the file is written in place ("yes") or renamed away and made anew ("no"); "auto" tries a
# file named 4913 to find out. 'writebackup' and 'backup' leave FILE~ for the time of the save, or for good.
VIM = {
    "as it comes": "backupcopy=auto",
    "in place": "backupcopy=yes",
    "renamed": "backupcopy=no",
    "renamed, backup kept": "backupcopy=no backup",
    "in place, backup kept": "backupcopy=yes backup",
    "no backup": "nobackup nowritebackup",
    "no swap file": "noswapfile backupcopy=auto",
    "swap file at every key": "updatecount=1 updatetime=10",
    "undo file": "undofile",
}


@pytest.mark.parametrize("options", VIM.values(), ids=VIM.keys())
@thrice
def test_vim(options: str, watched: Watched, terminal: Start) -> None:
    path = watched.new_file("first\n")
    vim = terminal("vim", "--clean", "-c", f"set {options}", path.name)
    vim.shows("first")
    for text in ("second", "third"):
        vim.type(f"O{text}")
        vim.keys("Escape")
        vim.shows(text)
        vim.type(":w")
        vim.keys("Enter")
        assert watched.reloaded() == {path.name: "modified"}
    vim.type(":q")
    vim.keys("Enter")
    vim.ended()
    watched.quiet()
    assert path.read_text() == "third\nsecond\nfirst\n"


@thrice
def test_vim_that_saves_and_ends_at_once(watched: Watched, terminal: Start) -> None:
    path = watched.new_file("first\n")
    vim = terminal("vim", "--clean", path.name)
    vim.shows("first")
    vim.type("Osecond")
    vim.keys("Escape")
    vim.type(":wq")
    vim.keys("Enter")
    assert watched.reloaded() == {path.name: "modified"}
    vim.ended()
    watched.quiet()


@thrice
def test_vim_without_a_save(watched: Watched, terminal: Start) -> None:
    path = watched.new_file("first\n")
    first = terminal("vim", "--clean", "-c", "set updatecount=1", path.name)
    first.shows("first")
    first.type("Osecond")
    first.keys("Escape")
    first.type(":preserve")  # into the swap file
    first.keys("Enter")
    second = terminal("vim", "--clean", path.name)
    second.shows("(E)dit anyway")
    second.type("E")  # with a swap file of its own, .FILE.swo
    second.shows("first")
    wait_until(lambda: len(list(watched.folder.glob(f".{path.name}.sw?"))) == 2, BOUND)
    for vim in (second, first):
        vim.type(":q!")
        vim.keys("Enter")
        vim.ended()
    watched.quiet()
    assert path.read_text() == "first\n"


@thrice
def test_vim_makes_a_new_file(watched: Watched, terminal: Start) -> None:
    name = f"new from vim {uuid.uuid4().hex[:8]}.py"
    vim = terminal("vim", "--clean", name)
    vim.shows("[New]")
    vim.type("ifirst")
    vim.keys("Escape")
    vim.type(":wq")
    vim.keys("Enter")
    assert watched.reloaded() == {name: "created"}
    vim.ended()
    watched.quiet()


# Emacs renames the file to FILE~ at the first save of a buffer and writes a new one; locks are links named .#FILE.
EMACS = {
    "as it comes": "t",
    "backup by copying": "(setq backup-by-copying t)",
    "no backup": "(setq make-backup-files nil)",
    "no lock": "(setq create-lockfiles nil)",
    "numbered backups": "(setq version-control t)",
    "written beside and renamed": "(setq file-precious-flag t)",
}


@pytest.mark.parametrize("setting", EMACS.values(), ids=EMACS.keys())
@thrice
def test_emacs(setting: str, watched: Watched, terminal: Start) -> None:
    path = watched.new_file("first\n")
    emacs = terminal("emacs", "-nw", "-Q", "--eval", setting, path.name)
    emacs.shows("first")
    for text in ("second", "third"):
        emacs.type(text)
        emacs.keys("Enter")
        emacs.shows(text)
        emacs.keys("C-x", "C-s")
        assert watched.reloaded() == {path.name: "modified"}
    emacs.keys("C-x", "C-c")
    emacs.ended()
    watched.quiet()
    assert path.read_text() == "second\nthird\nfirst\n"


@thrice
def test_emacs_without_a_save(watched: Watched, terminal: Start) -> None:
    path = watched.new_file("first\n")
    emacs = terminal("emacs", "-nw", "-Q", path.name)
    emacs.shows("first")
    emacs.type("second")
    wait_until(lambda: (watched.folder / f".#{path.name}").is_symlink(), BOUND)
    emacs.keys("M-x")
    emacs.type("do-auto-save")
    emacs.keys("Enter")
    wait_until(lambda: (watched.folder / f"#{path.name}#").exists(), BOUND)
    emacs.keys("C-x", "C-c")
    emacs.shows("Save file")
    emacs.type("n")
    emacs.shows("exit anyway")
    emacs.type("yes")
    emacs.keys("Enter")
    emacs.ended()
    watched.quiet()
    assert path.read_text() == "first\n"


NANO = {"as it comes": [], "backup": ["--backup"], "lock": ["--locking"]}


@pytest.mark.parametrize("options", NANO.values(), ids=NANO.keys())
@thrice
def test_nano(options: list[str], watched: Watched, terminal: Start) -> None:
    path = watched.new_file("first\n")
    nano = terminal("nano", "--ignorercfiles", *options, path.name)
    nano.shows("first")
    for text in ("second", "third"):
        nano.type(text)
        nano.keys("Enter")
        nano.shows(text)
        nano.keys("C-s")
        assert watched.reloaded() == {path.name: "modified"}
    nano.keys("C-x")
    nano.ended()
    watched.quiet()
    assert path.read_text() == "second\nthird\nfirst\n"


@thrice
def test_nano_without_a_save(watched: Watched, terminal: Start) -> None:
    path = watched.new_file("first\n")
    nano = terminal("nano", "--ignorercfiles", "--locking", path.name)
    nano.shows("first")
    nano.type("second")
    nano.shows("second")
    nano.keys("C-x")
    nano.shows("Save modified buffer")
    nano.type("n")
    nano.ended()
    watched.quiet()
