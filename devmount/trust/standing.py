"""How a project stands: what it asks for, on this machine, and whether the user has allowed just that."""

import os
import pwd
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from devmount.config import Loaded
from devmount.config.describe import describe
from devmount.errors import DevmountError
from devmount.model import Project
from devmount.trust.reach import Here, Reach, digest, reaches, taken
from devmount.trust.store import Store, folder

UNIX = "unix://"


class Status(StrEnum):
    """Whether what a project asks for may be done."""

    NOTHING = "nothing"  # it asks for nothing that needs a word
    ALLOWED = "allowed"
    CHANGED = "changed"  # another content of it was allowed
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a project stands.

    ``since``: when this content, or else the last one, was allowed (RFC 3339). ``places``: of each reach, the file and
    line that asks for it; "" where none does. ``profile``: the one that it was read with.
    """

    root: Path
    status: Status
    reaches: tuple[Reach, ...]
    places: tuple[str, ...]
    digest: str
    since: str | None = None
    profile: str | None = None

    @property
    def may_start(self) -> bool:
        return self.status in (Status.NOTHING, Status.ALLOWED)

    def lines(self) -> list[str]:
        """What is asked for, a line each, for people; no control character of a name is in them."""
        return [
            _one_line(f"{reach.service} {reach.words}".strip() + (f"  ({place})" if place else ""))
            for reach, place in zip(self.reaches, self.places, strict=True)
        ]


class Held(DevmountError):
    """A project asks for what its user has not allowed; nothing was started.

    Args:
        goes_on: what was started before the file was changed runs on.
    """

    def __init__(self, standing: Standing, *, goes_on: bool = False) -> None:
        self.standing = standing
        changed = " now" if goes_on or standing.status is Status.CHANGED else ""
        outcome = "what ran before runs on" if goes_on else "nothing was started"
        super().__init__(
            f"the project{changed} asks for what needs your word; {outcome}",
            "\n".join(standing.lines()),
            "read it, and allow it if you trust whoever wrote it: devmount "
            + (f"--profile {standing.profile} trust" if standing.profile else "trust"),
        )


def standing(
    loaded: Loaded, *, profile: str | None, environ: Mapping[str, str], engine_url: str | None = None
) -> Standing:
    """How the project stands as it was read.

    Args:
        profile: the one that it was read with.
        environ: the caller's environment: where agents and engines listen, where the words are kept.
        engine_url: the engine that the user named.

    Raises:
        DevmountError: what was allowed before cannot be relied on.
    """
    project = loaded.project
    store = Store(folder(environ))
    here = _here(project.files, store, environ, engine_url)
    found = reaches(project, loaded.env_files, here, loaded.secrets)
    effective = describe(loaded, show_secrets=True)
    content = digest(project, found, texts=loaded.texts, profile=profile, effective=effective)
    places = tuple(_place(loaded.origins, reach.key) for reach in found)
    if not found:
        return Standing(project.root, Status.NOTHING, (), (), content, profile=profile)
    words = store.words(project.root)
    this = next((word for word in words if word.digest == content), None)
    status = Status.ALLOWED if this else Status.CHANGED if words else Status.HELD
    since = this.time if this else words[0].time if words else None
    return Standing(project.root, status, tuple(found), places, content, since, profile)


def of_checkouts(project: Project, owned: Mapping[str, str], environ: Mapping[str, str]) -> Standing:
    """How the project stands to what it would take by its name though another checkout made it.

    Args:
        owned: what ("the volume shop_data"), and the folder of that checkout.

    Raises:
        DevmountError: what was allowed before cannot be relied on.
    """
    if not owned:
        return Standing(project.root, Status.NOTHING, (), (), "")
    found = [Reach("", f"uses {what}, made by the project in {root}", "", (what, root)) for what, root in owned.items()]
    content = taken(project.root, found)
    word = next((word for word in Store(folder(environ)).words(project.root) if word.digest == content), None)
    status = Status.ALLOWED if word else Status.HELD
    return Standing(project.root, status, tuple(found), ("",) * len(found), content, word.time if word else None)


def allow(found: Standing, environ: Mapping[str, str]) -> None:
    """Keep that the user has allowed it.

    Raises:
        DevmountError: it cannot be kept where the project itself cannot write it.
    """
    place = folder(environ)
    if Path(os.path.realpath(place)).is_relative_to(found.root):
        raise DevmountError(
            "what you trust would lie in the project folder, where the project could write it",
            str(place),
            "name a folder outside of it with XDG_STATE_HOME",
        )
    Store(place).add(found.root, found.digest, found.lines())


def _one_line(text: str) -> str:
    """The text in one line, whatever is in a path: control and format characters are escaped."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _place(origins: Mapping[str, str], key: str) -> str:
    """The file and line of a key, of the first thing in its table, or of what is around it."""
    while key:
        within = [place for known, place in origins.items() if known == key or known.startswith(key + ".")]
        if within:
            return within[0]
        key = key.rpartition(".")[0]
    return ""


def _here(files: Iterable[Path], store: Store, environ: Mapping[str, str], engine_url: str | None) -> Here:
    home = os.path.expanduser("~")
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    engines = [
        "/var/run/docker.sock",
        "/run/podman/podman.sock",
        "/run/containerd/containerd.sock",
        "/run/crio/crio.sock",
        "/run/buildkit/buildkitd.sock",
        f"{runtime}/docker.sock",
        f"{runtime}/podman/podman.sock",
        f"{home}/.docker/run/docker.sock",
    ]
    urls = (engine_url, environ.get("DEVMOUNT_ENGINE"), environ.get("DOCKER_HOST"))
    engines += [url.removeprefix(UNIX) for url in urls if url and url.startswith(UNIX)]
    agents = [environ.get("SSH_AUTH_SOCK", ""), f"{home}/.gnupg/S.gpg-agent", f"{runtime}/gnupg/S.gpg-agent"]
    agents += [f"{runtime}/keyring/ssh", f"{runtime}/bus"]
    return Here(
        home=Path(os.path.realpath(home)),
        engines=_real(filter(os.path.exists, engines)),
        agents=_real(filter(os.path.exists, agents)),
        own=_real([os.fspath(store.place)]),
        owner=_other_owner(files),
    )


def _real(paths: Iterable[str]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(Path(os.path.realpath(path)) for path in paths if path))


def _other_owner(files: Iterable[Path]) -> str | None:
    """Who a project file belongs to that is neither the caller's nor root's; root is asked nothing, as in containers
    that run on somebody's checkout."""
    me = os.geteuid()
    if me == 0:
        return None
    for file in files:
        try:
            uid = file.stat().st_uid
        except OSError:
            continue  # removed since it was read: what was read is what counts
        if uid not in (me, 0):
            try:
                return pwd.getpwuid(uid).pw_name
            except KeyError:
                return f"user {uid}"
    return None
