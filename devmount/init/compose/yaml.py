"""YAML as plain values, each with its line; bounded, whatever anchors and aliases blow it up to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from devmount.errors import UsageError

Path = tuple[str | int, ...]
LARGEST = 512 * 1024  # characters
MOST_NODES = 50_000  # with every alias written out
DEEPEST = 100
TAG = "tag:yaml.org,2002:"
TRUE = ("true", "yes", "on")  # YAML 1.1's words, which compose takes for what is true or false


class TooMuch(Exception):
    """The text says more than a file that a person wrote."""


@dataclass
class Tree:
    """Plain values, and the line of each path."""

    values: Any
    lines: dict[Path, int] = field(default_factory=dict)


def parse(text: str, where: str) -> Tree:
    """The values of one YAML document; mappings have strings as keys, merge keys are resolved, dates stay text.

    Args:
        where: the file, for errors.

    Raises:
        UsageError: it is not YAML, or not of a size that people write.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if len(text) > LARGEST:
        raise UsageError(f"the file is larger than {LARGEST // 1024} KiB", where, "this is no compose file")
    try:
        node = YAML(typ="safe", pure=True).compose(text)
        reader = _Reader()
        return Tree(None if node is None else reader.value(node, ()), reader.lines)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise UsageError(f"not YAML: {error.problem or error.context}", where + line, "mend it first") from None
    except YAMLError as error:
        raise UsageError(f"not YAML: {str(error).splitlines()[0]}", where, "mend it first") from None
    except (TooMuch, RecursionError):
        raise UsageError("the file says too much: anchors within anchors, or nesting", where, "write it out") from None
    except (ValueError, IndexError, AttributeError) as error:  # of the parser itself, on texts that are no YAML
        raise UsageError(f"not YAML: {error}", where, "mend it first") from None


class _Reader:
    """From nodes to values."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self._count = 0

    def value(self, node: Any, path: Path) -> Any:
        self._count += 1
        if self._count > MOST_NODES or len(path) > DEEPEST:
            raise TooMuch
        self.lines[path] = node.start_mark.line + 1
        if node.id == "scalar":
            return _scalar(str(node.tag), node.value)
        if node.id == "sequence":
            return [self.value(item, (*path, number)) for number, item in enumerate(node.value)]
        made: dict[str, Any] = {}
        for key, item in self._pairs(node, 0):
            if key not in made:  # what a mapping says itself comes before what it merges in
                made[key] = self.value(item, (*path, key))
        return made

    def _pairs(self, node: Any, depth: int) -> Iterator[tuple[str, Any]]:
        if depth > DEEPEST:
            raise TooMuch
        merged: list[Any] = []
        seen: set[str] = set()
        for key, item in node.value:
            self._count += 1
            if self._count > MOST_NODES:
                raise TooMuch
            if str(key.tag) == TAG + "merge" or (key.id == "scalar" and key.value == "<<"):
                merged += item.value if item.id == "sequence" else [item]
                continue
            name = str(key.value) if key.id == "scalar" else ""
            if name in seen:
                raise ValueError(f"{name!r} stands twice, on line {key.start_mark.line + 1} too")
            seen.add(name)
            yield name, item
        for other in merged:
            if other.id == "mapping":
                yield from self._pairs(other, depth + 1)


def _scalar(tag: str, text: str) -> Any:
    if tag == TAG + "null":
        return None
    if tag == TAG + "bool":
        return text.lower() in TRUE
    try:
        if tag == TAG + "int":
            plain = text.replace("_", "")
            return int(plain, 8 if plain.lower().lstrip("+-").startswith("0o") else 0 if "x" in plain.lower() else 10)
        if tag == TAG + "float":
            return float(text.replace("_", ""))
    except ValueError:
        return text
    return text
