"""What all measurements share: tables of figures, verdicts on targets, the words on the machine, the written page."""

import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """A measured value and what it is to be at most. ``form``: how both are shown, as ``str.format`` takes it."""

    title: str
    value: float
    limit: float
    form: str


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)])


def verdicts(targets: Iterable[Target]) -> str:
    """Each target with what was measured, as a table."""
    return table(
        ["what", "measured", "at most", ""],
        [
            [
                target.title,
                target.form.format(target.value),
                target.form.format(target.limit),
                "reached" if target.value <= target.limit else "missed",
            ]
            for target in targets
        ],
    )


def page(command: str, circumstances: str, parts: Iterable[str]) -> str:
    """The results of ``command``: a heading, when and where and how they were measured, then ``parts``."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    head = [f"# Results of `{command}`", f"{time.strftime('%Y-%m-%d')}; {machine}; {circumstances}"]
    return "\n\n".join([*head, *parts]) + "\n"


def publish(text: str, path: Path, *, write: bool) -> None:
    """Print a page and, with ``write``, keep it in ``path``."""
    print(f"\n{text}")
    if write:
        path.write_text(text)
        print(f"written to {path}")
