"""What single values mean. Each function takes one value as TOML gives it and raises ``Wrong`` if it means nothing."""

import os
import re
import shlex
import signal
from pathlib import Path

from devmount.model import Mount, MountType, Port

DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
RELABEL = "z"  # of a mount, as docker run -v has it
VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
ENGINE_DATA = ("/var/lib/docker", "/var/lib/containers", "~/.local/share/docker", "~/.local/share/containers")


class Wrong(Exception):
    """What is wrong with a value, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def duration(text: str) -> float:
    """Seconds of "500ms", "3s", "1m30s"."""
    place, total = 0, 0.0
    for match in DURATION.finditer(text):
        if match.start() != place:
            break
        place = match.end()
        total += float(match[1]) * UNITS[match[2]]
    if not text or place != len(text):
        raise Wrong(f"{text!r} is not a duration", 'write a number with ms, s, m or h: "500ms", "3s"')
    return total


def command(value: "str | list[str]") -> tuple[str, ...]:
    """An argv; a string is split as a POSIX shell splits words."""
    if isinstance(value, str):
        try:
            words = tuple(shlex.split(value))
        except ValueError as error:
            raise Wrong(
                f"{value!r} cannot be split into words: {str(error).lower()}", "close the quote, or use a list"
            ) from None
    else:
        words = tuple(value)
    if not words:
        raise Wrong("the command is empty", 'write, for example, command = "python app.py"')
    return words


def signal_name(text: str) -> str:
    """The canonical name, "SIGHUP", of "SIGHUP", "hup" or "1"."""
    known = {one.name: one.name for one in signal.Signals} | {str(int(one)): one.name for one in signal.Signals}
    upper = text.upper()
    found = known.get(upper) or known.get(f"SIG{upper}")
    if found is None:
        raise Wrong(f"{text!r} is not a signal", "write its name: SIGTERM, SIGINT, SIGHUP, SIGUSR1, ...")
    return found


def capability(text: str) -> str:
    """The name without CAP_ (capabilities(7)), in capitals."""
    name = text.upper().removeprefix("CAP_")
    if not re.fullmatch(r"[A-Z][A-Z_]*", name):
        raise Wrong(f"{text!r} is not a capability", "write its name: SYS_PTRACE, NET_ADMIN, ...")
    return name


def project_name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise Wrong(
            f"{text!r} cannot be a project's name",
            f"lower-case letters, digits, - and _, a letter or digit first: {safe_name(text)!r}",
        )
    return text


def safe_name(text: str) -> str:
    """A name made of ``text`` that an engine takes."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_") or "project"


def ports(value: "int | str") -> list[Port]:
    """The ports of one entry: 8000, "80:8000", "127.0.0.1:80:8000", "[::1]:80:8000", "8000-8002", "53:53/udp"."""
    text = str(value)
    hint = 'write 8000, "80:8000" or "0.0.0.0:80:8000"'
    if isinstance(value, int) and not 1 <= value <= 65535:
        raise Wrong(f"{value} is not a port: a port is a number from 1 to 65535", hint)
    body, slash, protocol = text.partition("/")
    protocol = protocol if slash else "tcp"
    if protocol not in ("tcp", "udp", "sctp"):
        raise Wrong(f"{text!r}: {protocol!r} is not a protocol", 'tcp, udp or sctp: "53:53/udp"')
    match = re.fullmatch(r"(?:(\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?:([0-9-]*):)?([0-9-]+)", body)
    if match is None or (match[1] is not None and match[2] is None and not _is_range(match[1])):
        raise Wrong(f"{text!r} is not a port", hint)
    address, host, container = match[1], match[2], match[3]
    if address is not None and host is None:
        address, host = None, address
    inner = _range(container, text, hint, lowest=1)
    outer = inner if host is None else _range(host or "0", text, hint, lowest=0)
    if outer == [0]:
        outer = [0] * len(inner)
    if len(outer) != len(inner):
        raise Wrong(f"{text!r}: the two ranges differ in length", 'write ranges of one length: "8000-8002:8000-8002"')
    where = _address(address.strip("[]")) if address else "127.0.0.1"
    return [Port(there, here, where, protocol) for here, there in zip(outer, inner, strict=True)]


def _is_range(text: str) -> bool:
    return re.fullmatch(r"\d+(-\d+)?", text) is not None


def _range(text: str, whole: str, hint: str, *, lowest: int) -> list[int]:
    if not _is_range(text):
        raise Wrong(f"{whole!r} is not a port", hint)
    first, _, last = text.partition("-")
    numbers = range(int(first), int(last or first) + 1)
    if not numbers or numbers[0] < lowest or numbers[-1] > 65535:
        raise Wrong(f"{whole!r}: a port is a number from 1 to 65535", hint)
    return list(numbers)


def _address(text: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise Wrong(f"{text!r} is not an address", "127.0.0.1, 0.0.0.0 (everyone), or another of this host") from None


def target(text: str, what: str = "target") -> str:
    """A path in the container, normalised."""
    if not text.startswith("/"):
        raise Wrong(f"{what} {text!r} is not an absolute path", f"begin it with /: {'/' + text!r}")
    path = "/" + os.path.normpath(text).lstrip("/")
    if path == "/":
        raise Wrong(f"{what} cannot be /: it would hide the image", "name a folder below it, such as /workspace")
    return path


def mount(value: "str | dict[str, object]", root: Path) -> Mount:
    """A ``mounts`` entry; a bind's source is checked to be there."""
    if isinstance(value, dict):
        kind = MountType(str(value["type"]))
        source, inside = str(value.get("source", "")), target(str(value["target"]))
        read_only = bool(value.get("read_only", False))
        if kind is MountType.TMPFS:
            if source:
                raise Wrong("a tmpfs has no source", "leave source out")
            return Mount(kind, "", inside, read_only)
        if not source:
            raise Wrong(f"a {kind} needs a source", "name a path, or a volume")
        if kind is MountType.VOLUME:
            return Mount(kind, _volume(source), inside, read_only)
        path, real = _bind(source, root)
        return Mount(kind, path, inside, read_only, real)
    source, colon, rest = value.partition(":")
    inside, _, options = rest.partition(":")
    if not colon or not source or not inside:
        raise Wrong(
            f"{value!r} is not a mount", 'write "SOURCE:TARGET": a path ("./data:/data") or a volume ("data:/data")'
        )
    words = options.split(",") if options else []
    for word in words:
        if word not in ("ro", "rw", RELABEL):
            raise Wrong(f"{value!r}: unknown option {word!r}", "ro, z (an SELinux label for containers), or nothing")
    if source[0] not in "./~":
        if RELABEL in words:
            raise Wrong(f"{value!r}: z is for folders of the project; an engine labels its volumes", "leave z out")
        return Mount(MountType.VOLUME, _volume(source), target(inside), "ro" in words)
    path, real = _bind(source, root)
    if RELABEL in words:
        _check_relabel(real, root)
    return Mount(MountType.BIND, path, target(inside), "ro" in words, real, RELABEL in words)


def project_mount(text: str, root: Path) -> tuple[str, bool]:
    """Where the project folder appears, and whether it is labelled for containers: "/srv/shop:z"."""
    path, _, option = text.partition(":")
    if option not in ("", RELABEL):
        raise Wrong(f"mount {text!r}: unknown option {option!r}", "z (an SELinux label for containers), or nothing")
    if option:
        _check_relabel(os.path.realpath(root), root)
    return target(path, "mount"), bool(option)


def _check_relabel(real: str, root: Path) -> None:
    """A label stays on the host's files, so a project may only change its own."""
    if not Path(real).is_relative_to(os.path.realpath(root)):
        raise Wrong(
            f"z would change the labels of files outside the project: {real}",
            "leave z out, and label with chcon what the container needs of it",
        )
    if ":" in real:
        raise Wrong(f"z cannot go with a path that has a colon: {real}", "rename it, or label it yourself with chcon")


def refused(real: str) -> str | None:
    """What a path without links is that is never mounted; None where it may be."""
    if real == "/":
        return "the whole file system"
    if real == os.path.realpath(os.path.expanduser("~")):
        return "the home folder itself"
    data = (os.path.realpath(os.path.expanduser(folder)) for folder in ENGINE_DATA)
    return "the engine's own data" if any(Path(real).is_relative_to(folder) for folder in data) else None


def _bind(source: str, root: Path) -> tuple[str, str]:
    """A bind's source as the file says it, absolute, and what it leads to."""
    path = os.path.normpath(os.path.join(root, os.path.expanduser(source)))
    real = os.path.realpath(path)
    if (what := refused(real)) is not None:
        raise Wrong(f"{source!r} is {what}, which is never mounted", "mount the folder in it that is needed")
    if not os.path.lexists(path):
        raise Wrong(
            f"{source!r} is not there: {path}", "make it first; a missing source is not made as an empty folder"
        )
    return path, real


def _volume(name: str) -> str:
    if not VOLUME_NAME.fullmatch(name):
        raise Wrong(
            f"{name!r} cannot be a volume's name",
            f'for a folder of the project write "./{name}"; a volume has letters, digits, "_", "." and "-"',
        )
    return name


def text(value: object) -> str:
    """An environment variable's value of a TOML scalar."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def user(text: str) -> str:
    """A user: "host", "image", "root", a name or ids, as the engine takes them."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?", text):
        raise Wrong(f"{text!r} is not a user", 'write "host", "image", "root", a name or "uid:gid"')
    return text


def regex(text: str) -> str:
    """A regular expression that can be compiled."""
    try:
        re.compile(text)
    except re.error as error:
        raise Wrong(f"{text!r} is not a regular expression: {error}", "escape special characters with \\\\") from None
    return text
