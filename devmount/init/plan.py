"""What ``devmount init`` writes, decided before anything is written; and the writing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devmount.config import LOCAL_NAME
from devmount.errors import UsageError
from devmount.init import gitignore, templates, write
from devmount.init.guess import Guess, fill, guess
from devmount.init.look import look


@dataclass(frozen=True, slots=True)
class Plan:
    """A project file's text and what to say of it.

    ``said``: what was guessed or taken over. ``left``: what could not be carried over.
    """

    text: str
    said: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def from_folder(folder: Path, template: str | None, companions: Sequence[str]) -> Plan:
    """The project file for what is in a folder.

    Args:
        template: the one to take; None: the one that fits.
        companions: names of companions' templates.

    Raises:
        UsageError: there is no such template, or nothing tells which fits.
    """
    known = templates.names()
    for companion in companions:
        templates.check(companion, templates.COMPANIONS, "companion")
    if template is not None:
        templates.check(template, known, "template")
    seen = look(folder)
    found: Guess | None = guess(seen) if template is None else fill(seen, template)
    if found is None:
        hint = f"name a template: devmount init --template {known[0]} ({', '.join(known)})"
        raise UsageError("nothing here tells what kind of project this is", str(folder), hint)
    texts = {name: templates.text(name) for name in dict.fromkeys(companions)}
    said = [*found.said, *(f"{name} runs beside it; the app finds it by its name" for name in texts)]
    return Plan(templates.render(templates.text(found.template), found.slots, texts), tuple(said))


def carry_out(plan: Plan, file: Path, *, force: bool) -> list[str]:
    """Write the project file, and have git ignore the local one; what was done, a line each.

    Raises:
        UsageError: the file exists, and ``force`` is not given.
        DevmountError: something cannot be written.
    """
    if not force:
        write.refuse_existing(file, "use --force to put another in its place, or edit it")
    ignored = file.parent / ".gitignore"
    for path in (file, ignored):
        write.refuse_outside(path, file.parent)
    rules = write.amended(ignored, lambda text: gitignore.with_line(text, LOCAL_NAME))
    write.create(file, plan.text, replace=force)
    done = [f"wrote {file.name}"]
    if rules is not None:
        write.create(ignored, rules, replace=True)
        done.append(f"added {LOCAL_NAME}, which is yours alone, to .gitignore")
    return done
