"""Variables in a compose file's texts, in the words of the project file; pure.

Compose takes ``$NAME``, ``${NAME}`` (empty where it is missing), ``${NAME:-text}``, ``${NAME-text}``,
``${NAME:?text}``, ``${NAME:+text}`` and ``$$``. The project file takes ``${NAME}`` (an error where it is missing),
``${NAME:-text}`` and ``$$``.
"""

import re
from collections.abc import Callable

REFERENCE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_]\w*)|"
    r"\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?[-?+])(?P<text>(?:[^{}]|\{[^{}]*\})*))?\})"
)


def translate(text: str, left: Callable[[str], None]) -> str:
    """The text with its variables as the project file writes them; ``left`` is told what cannot be said there."""

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$$"
        name, how, rest = match["plain"] or match["name"], match["how"] or "", match["text"] or ""
        if how in (":?", "?"):
            return f"${{{name}}}"
        if how in (":+", "+"):
            left(f"{match[0]}: a text that stands only where {name} is set")
            return f"${{{name}:-}}"
        if "$" in rest or "}" in rest:
            left(f"{match[0]}: a variable within a default")
            return f"${{{name}:-}}"
        return f"${{{name}:-{rest}}}"

    return REFERENCE.sub(replace, text)


def split(text: str, separator: str = ":") -> list[str]:
    """The parts of a text; a separator within a variable's braces does not count."""
    parts, depth, begin = [], 0, 0
    for place, char in enumerate(text):
        if char == "{" and text[place - 1 : place] == "$":
            depth += 1
        elif char == "}" and depth:
            depth -= 1
        elif char == separator and not depth:
            parts.append(text[begin:place])
            begin = place + 1
    return [*parts, text[begin:]]
