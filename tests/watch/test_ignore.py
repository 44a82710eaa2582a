"""The rules of ignoring, held against git's own: a table of tricky cases, and trees and patterns made at random."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devmount.globs import CLASSES
from devmount.ignore import Ignore, Patterns
from devmount.watch.tree import Tree
from tests.watch.gitignore import WorkTree

# Each: the patterns, and paths with what is expected of them ("/" at the end: a folder). git is asked the same.
TABLE: dict[str, tuple[str, dict[str, bool]]] = {
    "a name, at any depth": ("foo", {"foo": True, "a/foo": True, "b/foo/x": True, "foobar": False, "a/barfoo": False}),
    "not a name that begins alike": ("app/", {"app/x": True, "app_first/x": False, "my-app/x": False}),
    "anchored by a slash in front": ("/foo", {"foo": True, "a/foo": False}),
    "anchored by a slash inside": ("a/foo", {"a/foo": True, "b/a/foo": False}),
    "folders only": ("foo/", {"foo/x": True, "a/foo": False, "b/foo/x": True}),
    "anchored, folders only": ("/foo/", {"foo/x": True, "a/foo/x": False}),
    "a star stays in its part": ("a/*.c", {"a/x.c": True, "a/b/x.c": False}),
    "a star takes a dot file": ("*.c", {".c": True, "a/.x.c": True}),
    "question mark": ("?", {"a": True, "ab": False, "x/b": True}),
    "question mark is one byte": ("?", {"é": False}),
    "two stars in front": ("**/foo", {"foo": True, "a/foo": True, "a/b/foo/x": True}),
    "two stars in front, deeper": ("**/a/foo", {"a/foo": True, "b/a/foo": True, "a/b/foo": False}),
    "two stars behind": ("a/**", {"a/x": True, "a/b/c": True, "b/a/x": False}),
    "two stars inside": ("a/**/b", {"a/b": True, "a/x/b": True, "a/x/y/b": True, "a/xb": False}),
    "two stars inside a part are one": ("a**b", {"ab": True, "axb": True, "a/b": False}),
    "two stars inside a part, with a slash": ("a/x**y", {"a/xzy": True, "a/x/y": False}),
    "three stars": ("a/***/b", {"a/b": True, "a/x/b": True}),
    "only stars": ("**", {"a": True, "b/c": True}),
    "stars and a slash": ("**/", {"a": False, "b/c": True}),
    "anchored stars": ("/**/x", {"x": True, "a/x": True, "a/b/x": True}),
    "star and a slash": ("*/", {"a": False, "b/c": True}),
    "star, anchored": ("/*", {"a": True, "b/c": True}),
    "class": ("[ab].c", {"a.c": True, "b.c": True, "c.c": False}),
    "class, not": ("[!ab].c", {"a.c": False, "c.c": True}),
    "class, not, as a regular expression has it": ("[^ab].c", {"a.c": False, "c.c": True}),
    "class, range": ("[a-c]x", {"ax": True, "bx": True, "dx": False, "-x": False}),
    "class, range upside down": ("[c-a]x", {"ax": False, "bx": False, "cx": True}),
    "class with a closing bracket": ("[]a]x", {"]x": True, "ax": True, "bx": False}),
    "class with a minus at its end": ("[a-]x", {"-x": True, "ax": True, "bx": False}),
    "class with an escape": ("[\\]]x", {"]x": True, "\\x": False}),
    "class with a slash matches none": ("a[/]b", {"a/b": False}),
    "class, not, does not match a slash": ("a[!x]b", {"a/b": False, "ayb": True}),
    "class that does not end": ("[ab", {"[ab": False, "a": False}),
    "class that is empty": ("[]x", {"[]x": False, "x": False}),
    "class by name": ("[[:digit:]]x", {"1x": True, "ax": False}),
    "class by a name that is none": ("[[:nothing:]]x", {"nx": False, "[:nothing:]x": False}),
    "escaped star": ("\\*", {"*": True, "a": False}),
    "escaped bang": ("\\!a", {"!a": True, "a": False}),
    "escaped hash": ("\\#a", {"#a": True, "a": False}),
    "escaped letter": ("\\a\\b", {"ab": True}),
    "escape at the end": ("a\\", {"a": False, "a\\": False}),
    "comment": ("#a\na", {"#a": False, "a": True}),
    "hash inside": ("a#b", {"a#b": True}),
    "spaces at the end": ("a   ", {"a": True, "a   ": False}),
    "escaped space at the end": ("a\\ ", {"a ": True, "a": False}),
    "escaped space and more": ("a\\   ", {"a ": True, "a   ": False, "a": False}),
    "escaped backslash, space": ("a\\\\ ", {"a\\": True, "a\\ ": False}),
    "spaces in front count": (" a", {" a": True, "a": False}),
    "tab at the end counts": ("a\t", {"a": False, "a\t": True}),
    "carriage return": ("a\r\nb\r\n", {"a": True, "b": True, "a\r": False}),
    "byte order mark": ("\ufeffa\nb", {"a": True, "b": True}),
    "end of the text in a line": ("a\0b\nc", {"a": True, "c": True, "b": False}),
    "blank lines": ("\n\n  \na\n\n", {"a": True, "b": False}),
    "the last one wins": ("*.log\n!keep.log", {"a.log": True, "keep.log": False}),
    "the last one wins, back": ("!a\na", {"a": True}),
    "no way back below a folder": ("a\n!a/b", {"a/b": True, "a/c": True}),
    "no way back below a folder, by name": ("a/\n!b", {"a/b": True, "b": False}),
    "back step by step": ("/*\n!/a\n/a/*\n!/a/b", {"a/b": False, "a/c": True, "c": True}),
    "back, folders": ("*\n!*/\n!*.txt", {"a.txt": False, "a/b/c.txt": False, "a.c": True, "a/b.c": True}),
    "back, folders only": ("foo\n!foo/", {"foo": True, "a/foo/x": False}),
    "folder by its stars, files back": ("a/**\n!a/b", {"a/b": False, "a/c": True}),
    "folder below by its stars": ("a/**\n!a/b/c", {"a/b/c": True}),
    "stars and folders back": ("a/**\n!a/**/\n!a/**/*.txt", {"a/b/c.txt": False, "a/b/c.c": True}),
    "two bangs": ("!!a", {"!a": False, "a": False}),
    "bang alone": ("a\n!", {"a": True}),
    "slash alone": ("/", {"a": False, "b/c": False}),
    "two slashes in front": ("//a", {"a": False}),
    "slashes at the end": ("a//", {"a/b": False}),
    "a dot is a name": ("./a", {"a": False}),
    "two dots are a name": ("../a", {"a": False}),
    "a rules file ignores itself": (".gitignore", {".gitignore": True}),
    "upper case differs": ("A", {"a": False, "A": True}),
    "newline by a class": ("a[[:space:]]b", {"a\nb": True}),
    "not UTF-8": ("a\udcff", {"a\udcff": True, "b\udcff": False}),
    "long name": ("a" * 255, {"a" * 255: True, "a" * 254: False}),
    "prunes and the like": (
        "prunes\n/apricots\ncherries/\n**/grapes/**\n**/feijoa\n**/feijoa/**",
        {
            "prunes": True,
            "b/prunes/x": True,
            "raw-prunes": False,
            "apricots": True,
            "b/apricots": False,
            "cherries": False,
            "c/cherries/x": True,
            "b/grapes/x/y": True,
            "c/grapes": False,
            "feijoa": True,
            "b/c/feijoa/x": True,
        },
    ),
    "a list of what to build": (
        "Cargo.toml\n*.gemspec\ntest-*\n*.sw*\nsources.*/\n/output.*\n**/possum\nzebra/**\nelep/**/hant\nsong/**/bird/",
        {
            "a/Cargo.toml": True,
            "Cargo.lock": False,
            "x.gemspec": True,
            "test-a/x": True,
            "sources.d/x": True,
            "sources.c": False,
            "output.txt": True,
            "a/output.txt": False,
            "b/possum": True,
            "zebra/x": True,
            "elep/hant": True,
            "elep/a/b/hant": True,
            "song/a/bird/x": True,
            "song/bird/x": True,
        },
    ),
    "an allow-list": (
        "*\n!/.gitignore\n!*.go\n!go.mod\n!*/",
        {".gitignore": False, "foo.go": False, "a/foo.go": False, "go.mod": False, "go.js": True, "a/.x": True},
    ),
    "editors leave": (
        "",
        {
            ".file.txt.swp": True,
            ".x.swx": True,
            ".x.swn": True,
            "file.txt~": True,
            "a/.idea/modules.xml": True,
            ".#file.txt": True,
            "#file.txt#": True,
            ".file.txt.kate-swp": True,
            "1234-go-tmp-umask": True,
            "my.yaml___jb_old___": True,
            "my.yaml___jb_tmp___": True,
            "4913": True,
            "flymake_a.py": True,
            ".DS_Store": True,
            "a/__pycache__/m.cpython-311.pyc": True,
            "m.cpython-311.pyc.140566": True,
            "a/node_modules/b/index.js": True,
            "normal.txt": False,
            "foo.swx.more": False,
            "a.swf": False,
            ".env": False,
            ".gitignore": False,
            "49131": False,
        },
    ),
    "what is usual, taken back": ("!*.pyc\n!__pycache__/", {"a.pyc": False, "__pycache__/b": False}),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkTree]:
    """One work tree for many cases; git is told of no other rules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", os.fspath(tmp_path_factory.mktemp("home")))
        patch.delenv("XDG_CONFIG_HOME", raising=False)
        yield WorkTree(tmp_path_factory.mktemp("git"))


def ours(root: Path, paths: list[str], top: list[str] | None = None) -> set[str]:
    """Those of ``paths`` that a Tree of ``root`` ignores."""
    tree = project(root, top)
    list(tree.walk())
    return {path for path in paths if tree.is_ignored_anywhere(path, is_folder(root / path))}


def project(root: Path, top: list[str] | None = None) -> Tree:
    """The Tree of ``root``, where every folder can be read."""

    def unreadable(folder: str, error: OSError) -> None:
        raise AssertionError(f"{folder}: {error}")

    return Tree(root, top or [], [], unreadable)


def is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def files_of(tree: Tree) -> set[str]:
    """The files that a walk finds."""
    return {f"{folder}/{entry.name}".lstrip("/") for folder, files in tree.walk() for entry in files}


@pytest.mark.parametrize("case", TABLE)
def test_a_tricky_case_is_as_git_has_it(case: str, tree: WorkTree) -> None:
    text, expected = TABLE[case]
    paths = tree.fill(expected, {"": os.fsencode(text)})
    assert not set(expected) - set(paths)
    assert {path: path in tree.ignored(paths) for path in expected} == expected
    assert ours(tree.root, paths) == tree.ignored(paths)


def test_every_byte_of_every_named_class(tree: WorkTree) -> None:
    """One folder for each class, with 253 files of one byte: all but NUL, "." and "/"."""
    names = [os.fsdecode(bytes([byte])) for byte in range(1, 256) if byte not in b"./"]
    classes = [name.decode() for name in CLASSES]
    rules = {f"{name}{sign}": f"[{sign}[:{name}:]]".encode() for name in classes for sign in ("", "!")}
    paths = tree.fill([f"{folder}/{name}" for folder in rules for name in names], rules)
    assert ours(tree.root, paths) == tree.ignored(paths)


def test_rules_files_of_all_levels(tree: WorkTree) -> None:
    """Each file is anchored at its own folder, the inner ones are stronger, and all are stronger than the excludes."""
    paths = tree.fill(
        ["apples", "a/apples", "carrots", "a/b/carrots", "a/plums", "plums", "a/b/plums", "x.log", "a/x.log", "pears"],
        {"": b"/apples\ncarrots\n", "a": b"plums\n!x.log\n", "a/b": b"!carrots\n/plums\n"},
        exclude=b"*.log\npears\n",
        excludes=b"!pears\n/a/apples\n",
    )
    ignored = {"apples", "carrots", "a/plums", "a/b/plums", "x.log", "pears", "a/apples"}
    assert tree.ignored(paths) == ignored
    assert ours(tree.root, paths) == ignored


def test_a_project_in_a_folder_of_the_work_tree(tree: WorkTree) -> None:
    """Rules files above the project apply, anchored where they lie."""
    tree.fill(
        ["sub/a.log", "sub/b", "sub/deep/b", "sub/deep/c", "sub/d", "sub/deep/e"],
        {"": b"*.log\n/sub/b\n/deep/c\n", "sub": b"/d\n"},
        exclude=b"sub/deep/e\n",
    )
    found = files_of(project(tree.root / "sub"))
    assert found == {".gitignore", "deep/b", "deep/c"}
    assert {f"sub/{path}" for path in found} | {".gitignore"} == tree.files_that_count()


def test_a_project_in_an_ignored_folder_is_watched_all_the_same(tree: WorkTree) -> None:
    """Who starts devmount there wants it: the rules that hide the whole project say nothing of what is in it."""
    tree.fill(["scratch/app/a", "scratch/app/b.log"], {"": b"/scratch/**\n", "scratch/app": b"*.log\n"})
    assert files_of(project(tree.root / "scratch/app")) == {"a", ".gitignore"}


def test_watch_ignore_is_stronger_than_every_rules_file(tree: WorkTree) -> None:
    top = ["*.log", "/build/", "!kept/"]
    tree.fill(
        ["a.log", "kept/x", "build/x", "sub/build/x", "kept/b.log", "c"], {"": b"kept/\n!*.log\n", "sub": b"!*.log"}
    )
    assert files_of(project(tree.root, top)) == {"kept/x", "sub/build/x", "c", ".gitignore", "sub/.gitignore"}
    assert files_of(project(tree.root, top)) == tree.files_that_count(*top)


def test_git_itself_is_never_watched(tree: WorkTree) -> None:
    """Whatever the rules say, and in a nested repository too."""
    tree.fill(["a"], {"": b"!.git\n!.git/\n"})
    found = project(tree.root, ["!.git", "!**/.git/**"])
    assert files_of(found) == {"a", ".gitignore"}
    assert found.is_ignored_anywhere("nested/.git/index", False)
    assert found.is_ignored_anywhere("submodule/.git", False)


def test_a_rules_file_that_is_a_link_is_not_followed(tree: WorkTree) -> None:
    """As git has it since 2.32."""
    tree.fill(["a", "rules"])
    (tree.root / "rules").write_text("a\n")
    (tree.root / ".gitignore").symlink_to("rules")
    assert tree.ignored(["a"]) == set()
    assert ours(tree.root, ["a"]) == set()


def test_rules_that_cannot_be_read_are_none(tree: WorkTree) -> None:
    """A folder, or a pipe that nobody writes to, in the place of a rules file must not stop the start."""
    tree.fill(["a", "b/a", "b/.gitignore/"])
    os.mkfifo(tree.root / ".gitignore")
    assert ours(tree.root, ["a", "b/a"]) == set()


def test_rules_go_with_their_file(tree: WorkTree) -> None:
    """A folder that is walked again has the rules that it has now."""
    tree.fill(["a/x", "a/y"], {"a": b"x\n"})
    found = project(tree.root)
    assert files_of(found) == {"a/y", "a/.gitignore"}
    (tree.root / "a/.gitignore").unlink()
    assert files_of(found) == {"a/x", "a/y"}


def test_folders_that_are_ignored_are_not_even_read(tree: WorkTree, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    scandir = os.scandir

    def recording(path: str) -> "os._ScandirIterator[str]":
        read.append(os.path.relpath(path, tree.root))
        return scandir(path)

    tree.fill(["src/a", "node_modules/b/c", "out/d/e", "src/out/f"], {"": b"out/\n"})
    monkeypatch.setattr(os, "scandir", recording)
    list(project(tree.root).walk())
    assert sorted(read) == [".", "src"]


def test_on_change_files_have_the_same_syntax() -> None:
    patterns = Patterns(["conf/*.yaml", "!conf/local.yaml", "/requirements.txt", "templates/"])
    assert patterns.matches("conf/a.yaml")
    assert not patterns.matches("conf/local.yaml")
    assert not patterns.matches("sub/conf/a.yaml")
    assert patterns.matches("requirements.txt")
    assert not patterns.matches("sub/requirements.txt")
    assert patterns.matches("sub/templates/a/b.html")
    assert not patterns.matches("templates")
    assert patterns.matches("templates", is_dir=True)


def test_many_stars_do_not_take_for_ever() -> None:
    """A pattern that a naive matcher tries in more ways than there are atoms; pytest's timeout tells."""
    patterns = Patterns(["*a" * 30 + "b", "**/a" * 12 + "/b"])
    assert not patterns.matches("a" * 255)
    assert not patterns.matches("/".join("a" * 40))


# Random trees and patterns. Few letters, so that they meet; the signs that mean something, often.
NAME = st.text(st.sampled_from("aab.*?[]!\\ #-^\udcff"), min_size=1, max_size=4).filter(
    lambda name: name not in (".", "..", ".git")
)
PATH = st.lists(NAME, min_size=1, max_size=4).map("/".join)
SIGNS = ["a", "b", "ab", ".", "*", "*", "**", "**/", "/**", "/", "/", "?", "!", "#", " ", "\\", "\\ ", "\\*", "\\a"]
SETS = ["[a]", "[!a]", "[^b]", "[a-b]", "[b-a]", "[]a]", "[!]]", "[[:alpha:]]", "[[:x:]]", "[\\]]", "[\udc80-\udcff]"]
BROKEN = ["[", "]", "-", "^", "[[:", "[a", "[a-", "[!", "\r", "\t", "\udcff"]
PIECE = st.sampled_from([*SIGNS, *SETS, *BROKEN])
LOOSE = st.lists(PIECE, min_size=1, max_size=7).map("".join)
FROM_NAMES = st.builds(
    lambda bang, slash, parts, end: bang + slash + "/".join(parts) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/", "**/"]),
    st.lists(st.one_of(st.sampled_from(["a", "b", "*", "**", "a*", "?"]), LOOSE), min_size=1, max_size=3),
    st.sampled_from(["", "", "/", "/*", "/**", " "]),
)
TEXT = st.lists(st.one_of(LOOSE, FROM_NAMES), max_size=5).map(lambda lines: os.fsencode("\n".join(lines)))
EXAMPLES = settings(
    max_examples=int(os.environ.get("DEVMOUNT_IGNORE_EXAMPLES", "400")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(
    paths=st.lists(PATH, min_size=1, max_size=12),
    rules=st.lists(TEXT, min_size=1, max_size=4),
    exclude=TEXT,
    excludes=TEXT,
    data=st.data(),
)
@EXAMPLES
def test_random_trees_and_rules_are_as_git_check_ignore_has_them(
    tree: WorkTree, paths: list[str], rules: list[bytes], exclude: bytes, excludes: bytes, data: st.DataObject
) -> None:
    folders = sorted({"", *(os.path.dirname(path) for path in paths)})
    placed = {data.draw(st.sampled_from(folders)): text for text in rules}
    found = tree.fill(paths, placed, exclude, excludes)
    assert ours(tree.root, found) == tree.ignored(found)


@given(paths=st.lists(PATH, min_size=1, max_size=12), top=st.lists(LOOSE | FROM_NAMES, max_size=4), rules=TEXT)
@EXAMPLES
def test_random_walks_with_watch_ignore_are_as_git_ls_files_has_them(
    tree: WorkTree, paths: list[str], top: list[str], rules: bytes
) -> None:
    # git takes an --exclude as it is, and a pattern in a list of ours like a line of a file: no spaces at its end,
    # no comment, not more than one line of it.
    top = [pattern for pattern in top if not pattern.endswith((" ", "\t", "\r")) and not pattern.startswith("#")]
    tree.fill(paths, {"": rules})
    assert files_of(project(tree.root, top)) == tree.files_that_count(*top)


@given(text=st.binary(max_size=60), path=PATH)
@settings(max_examples=300, deadline=None)
def test_no_text_of_a_rules_file_is_too_strange(text: bytes, path: str) -> None:
    ignore = Ignore()
    ignore.set_rules("", text)
    ignore.matches(path)
