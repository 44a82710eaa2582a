"""A line more in a .gitignore; pure."""

from devmount.ignore import Patterns


def with_line(text: str, name: str) -> str:
    """The text with a rule that ignores ``name``, a file beside it; as it is where one does already."""
    if Patterns(tuple(text.splitlines())).matches(name, False):
        return text
    end = "\r\n" if "\r\n" in text else "\n"
    gap = end if text and not text.endswith("\n") else ""
    return f"{text}{gap}{name}{end}"
