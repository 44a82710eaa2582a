"""Pieces that the templates of several languages share; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from devmount.config.types import toml


@dataclass
class Filled:
    """What goes into a template's slots, and what the user is told of it."""

    slots: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


def command(*lines: str) -> str:
    """A command as TOML writes it: one line as it is, several as a script that ends at the first failure."""
    if len(lines) == 1 and not set(lines[0]) & set("|&;<>()$`"):
        return toml(lines[0])
    script = "\n".join([*lines[:-1], f"exec {lines[-1]}"])
    if "'''" in script or "\\" in script:
        return toml(["sh", "-ec", script])
    return f"[\"sh\", \"-ec\", '''\n{script}\n''']"


def once(install: str, listed: Sequence[str] = (), mark: str = "/tmp/.installed") -> list[str]:
    """Shell lines that install packages when the container is new, and not at each restart of the program.

    Args:
        listed: the files that list them: installed again where they are not as they were then, whoever changed them.
        mark: the file that remembers them; in the container, or with the packages where those are in the project.
    """
    if not listed:
        return [f"[ -e {mark} ] || {install}", f"touch {mark}"]
    folder = mark.rpartition("/")[0]
    made = "" if folder == "/tmp" else f"mkdir -p {folder}; "  # where an installer keeps packages elsewhere
    files = " ".join(listed)
    return [f"cat {files} | cmp -s - {mark} || {install}", f"{made}cat {files} >{mark}"]


def written_rule(lock: str) -> str:
    """An ``on_change`` entry for a lock file that the installer makes where there is none yet."""
    return rule([lock], "the installer writes it", action="none")


def rule(files: Sequence[str], comment: str = "", **keys: str) -> str:
    """An ``on_change`` entry, with an empty line after it."""
    head = "[[app.on_change]]" + (f"                       # {comment}" if comment else "")
    lines = [head, f"files = {toml(list(files))}", *(f"{key} = {toml(value)}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"


def debug_profile(command: str, ports: Sequence[int]) -> str:
    """The profile under which the program waits for a debugger at the last of ``ports``.

    Args:
        command: as TOML writes it.
    """
    head = f"[profiles.debug.app]                    # devmount up --profile debug; a debugger attaches to {ports[-1]}"
    return f"{head}\ncommand = {command}\nports = {toml(list(ports))}\n"


def is_version(text: str) -> bool:
    """Whether it can be (the beginning of) an image's tag."""
    return 0 < len(text) < 20 and all(part.isdigit() for part in text.split("."))
