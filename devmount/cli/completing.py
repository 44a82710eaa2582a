"""What shells complete: the project's own names. Nothing is asked of the engine, and nothing is said when all fails."""

import os
import shlex
import tomllib
from collections.abc import Callable, Iterable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from devmount.cli.words import VALUE_OPTIONS, hoist, parted

if TYPE_CHECKING:
    from devmount.config import Loaded

SHELL = "_DEVMOUNT_COMPLETE"  # "complete_bash" and the like; set by the scripts that typer makes, as the next three
BASH_WORDS, BASH_NUMBER = "COMP_WORDS", "COMP_CWORD"
TEXT = "_TYPER_COMPLETE_ARGS"

Complete = Callable[[typer.Context, str], list[str]]


def prepare(environ: MutableMapping[str, str]) -> None:
    """Put the options that every command takes before the command, as ``main`` does with a whole command line."""
    if environ.get(SHELL, "").endswith("_bash"):
        words, number = _split(environ.get(BASH_WORDS, "")), environ.get(BASH_NUMBER, "")
        if number.isdigit() and words:
            before = _ordered(words[1 : int(number)])
            last = words[int(number) : int(number) + 1]
            environ[BASH_WORDS] = shlex.join([words[0], *before, *last])
            environ[BASH_NUMBER] = str(len(before) + 1)
    elif TEXT in environ:
        text = environ[TEXT]
        words = _split(text)
        last = [words.pop()] if words and not text.endswith(" ") else []
        if words:
            environ[TEXT] = shlex.join([words[0], *_ordered(words[1:]), *last]) + ("" if last else " ")


def _ordered(words: list[str]) -> list[str]:
    """For an option that still wants its value, only what comes before commands."""
    if words and words[-1] in VALUE_OPTIONS and "--" not in words:
        return [*parted(words[:-1])[0], words[-1]]
    return hoist(words)


def _split(text: str) -> list[str]:
    """The words of a command line; a quote that is still open is closed."""
    for closing in ("", "'", '"'):
        try:
            return shlex.split(text + closing)
        except ValueError:
            continue
    return text.split()


def _quietly(names: Callable[[typer.Context], Iterable[str]]) -> Complete:
    """A completer of those names. Whatever goes wrong, a person who pressed Tab gets no error on their line."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        try:
            return [name for name in sorted(set(names(context))) if name.startswith(incomplete)]
        except Exception:
            return []

    return complete


def _services(context: typer.Context) -> Iterable[str]:
    loaded = _loaded(context)
    if loaded is not None:
        return loaded.project.services
    return ["app", *_keys(context, "services")]


def _volumes(context: typer.Context) -> Iterable[str]:
    loaded = _loaded(context)
    if loaded is not None:
        return loaded.project.volumes
    return _keys(context, "volumes")


def _profiles(context: typer.Context) -> Iterable[str]:
    return _keys(context, "profiles")


def _templates(context: typer.Context) -> Iterable[str]:
    from devmount.init.templates import names

    return names()


def _companions(context: typer.Context) -> Iterable[str]:
    from devmount.init.templates import COMPANIONS

    return COMPANIONS


services, volumes, profiles = _quietly(_services), _quietly(_volumes), _quietly(_profiles)
templates, companions = _quietly(_templates), _quietly(_companions)


def _file(context: typer.Context) -> tuple[Path, str | None]:
    """The project file, and the profile that the options before it name."""
    from devmount.cli.context import Context

    given = context.find_root().params
    folder = Path(given.get("folder") or Path.cwd()).absolute()
    file = given.get("file")
    return Context(folder, Path(file) if file else None).project_file, given.get("profile")


def _loaded(context: typer.Context) -> "Loaded | None":
    """The project; None where its file is wrong."""
    from devmount.config import load
    from devmount.errors import DevmountError

    file, profile = _file(context)
    try:
        return load(file, profile=profile, environ=os.environ)
    except DevmountError:
        return None


def _keys(context: typer.Context, key: str) -> list[str]:
    """The names in a table of the project's files, right or wrong, as long as they are TOML."""
    from devmount.config import LOCAL_NAME

    file, _ = _file(context)
    found: list[str] = []
    for path in (file, file.parent / LOCAL_NAME):
        try:
            table = tomllib.loads(path.read_text()).get(key)
        except (OSError, ValueError, RecursionError):
            continue
        found += table if isinstance(table, dict) else ()
    return found
