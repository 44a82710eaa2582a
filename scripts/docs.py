"""mkdocs hooks: what the pages in docs/ do not say themselves.

The references of the file and of the commands are made from the schema and from the command line, so they cannot be
out of date. A page that mkdocs.yml does not name is put under "More", so that writing one is enough. A link to a file
of the repository that is no page keeps its words and loses its address, which leads nowhere from a page.
"""

import json
import posixpath
import re
from collections.abc import Callable, Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

OUTSIDE = re.compile(r"\[([^\]]+)\]\((\.\./[^)\s]*)\)")
HIDDEN = re.compile(r"<!-- test\n.*?-->\n?", re.DOTALL)  # see tests/docs/page.py
OTHERS = "More"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the references; put what the navigation does not name at its end."""
    for path, text in (("reference/file.md", file_reference()), ("reference/commands.md", command_reference())):
        files.append(File.generated(config, path, content=text))
    if config.nav is not None:
        named = set(_named(config.nav))
        rest = sorted(file.src_uri for file in files.documentation_pages() if file.src_uri not in named)
        if rest:
            config.nav = [*config.nav, {OTHERS: rest}]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Take links that lead out of docs/ for what they are, words; leave out what is for the tests alone."""

    def word(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), match[2].partition("#")[0]))
        return match[1] if target.startswith("..") else match[0]

    return OUTSIDE.sub(word, HIDDEN.sub("", markdown))


def _named(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for item in nav.values():
            yield from _named(item)
    else:
        for item in nav:
            yield from _named(item)


# The file


def file_reference() -> str:
    """The page of the file's keys, from its JSON Schema."""
    from devmount.config import schema
    from devmount.config.types import toml

    names: dict[str, list[str]] = {}  # of each kind of table, by the text of its keys: where it may be
    waiting: list[tuple[str, dict[str, Any]]] = [("", schema())]
    sections: list[tuple[str, list[str]]] = []
    while waiting:
        title, table = waiting.pop(0)
        rows = ["| key | | takes | for example |", "|---|---|---|---|"]
        for key, value in table["properties"].items():
            for place, inner in _tables(value, f"{title.removeprefix('an entry of ')}.{key}".lstrip(".")):
                known = names.setdefault(_identity(inner), [])
                if not known:
                    waiting.append((place, inner))
                known.append(place)
            takes = _takes(value, lambda inner: names[_identity(inner)][0])
            word = f"`{key}`" + (", required" if key in table.get("required", ()) else "")
            example = f"`{key} = {toml(value['examples'][0])}`"
            rows.append(f"| {word} | {_cell(value['description'])} | {_cell(takes)} | {_cell(example)} |")
        sections.append((title, rows))
    lines = [
        "# The file's keys",
        "",
        "Every key of `.devmount.toml`. `devmount config schema` prints the same as a JSON Schema, for editors. How a",
        "value comes to be what it is, from the file, your own file beside it, a profile and the environment, is in",
        "[The file](../file.md).",
    ]
    places = {known[0]: known[1:] for known in names.values()}
    for title, rows in sections:
        others = [place for place in places.get(title, ()) if not place.startswith("profiles.")]
        also = ["", "The same keys: " + ", ".join(f"`{place}`" for place in others) + "."] if others else []
        lines += ["", f"## {title or 'At the top of the file'}", *also, "", *rows]
    return "\n".join(lines)


def _identity(table: dict[str, Any]) -> str:
    return json.dumps(table["properties"], sort_keys=True)


def _takes(kind: dict[str, Any], place: Callable[[dict[str, Any]], str]) -> str:
    """What a value may be, in words; ``place`` gives the heading of a table's keys."""
    if "enum" in kind:
        return " or ".join(f'`"{choice}"`' for choice in kind["enum"])
    if "anyOf" in kind:
        return " or ".join(dict.fromkeys(_takes(one, place) for one in kind["anyOf"]))
    if kind["type"] == "array":
        return f"a list of: {_takes(kind['items'], place)}"
    if "properties" in kind:
        return f"[a table](#{_anchor(place(kind))})"
    if kind["type"] == "object":
        return f"a table of names, each: {_takes(kind['additionalProperties'], place)}"
    words = {"string": "text", "boolean": "`true` or `false`", "integer": "a number", "number": "a number"}
    bounds = f" from {kind['minimum']} to {kind['maximum']}" if "maximum" in kind else ""
    return words[kind["type"]] + bounds


def _tables(kind: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables with keys of their own that a value at ``place`` may be or hold, and their places."""
    if "properties" in kind:
        yield place, kind
    for inner in kind.get("anyOf", ()):
        yield from _tables(inner, place)
    if kind.get("type") == "array":
        yield from _tables(kind["items"], f"an entry of {place}")
    if isinstance(kind.get("additionalProperties"), dict):
        yield from _tables(kind["additionalProperties"], f"{place}.NAME")


def _anchor(title: str) -> str:
    """As the extension ``toc`` makes it."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# The commands


def command_reference() -> str:
    """The page of the commands, from the command line itself."""
    import typer

    from devmount.cli.app import app

    root = typer.main.get_command(app)
    context: Any = typer.Context(root, info_name="devmount")
    lines = [
        "# The commands",
        "",
        "These options go with every command, before or after its name. A service or a volume is called by its name",
        "in the file. Exit codes: 0 done; 1 what you asked for failed; 2 wrong usage or a wrong file; 3 no engine",
        "answers; 130 Ctrl-C.",
        "",
        *_options(root, context),
    ]
    return "\n".join([*lines, *_commands(root, context)])


def _commands(group: Any, context: Any) -> Iterator[str]:
    import typer

    for name, command in group.commands.items():
        if command.hidden:
            continue
        inner: Any = typer.Context(command, info_name=name, parent=context)
        usage = " ".join(command.get_usage(inner).removeprefix("Usage: ").split())
        yield from (f"## {inner.command_path}", "", f"```\n{usage}\n```", "")
        yield from (_prose(command.help or ""), "")
        yield from _options(command, inner)
        if hasattr(command, "commands"):
            yield from _commands(command, inner)


def _prose(help_text: str) -> str:
    """A help text; an example, which is a line of its own or follows a colon at a line's end, in code type."""
    return re.sub(r"(?m)(?::[ \n]+|^ *)(devmount .*)$", r"\n\n    \1", help_text.replace("\b\n", ""))


def _options(command: Any, context: Any) -> Iterator[str]:
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None:
            rows.append(f"| `{_cell(record[0])}` | {_cell(record[1])} |")
    if rows:
        yield from ("| | |", "|---|---|", *rows, "")
