"""This host's GNU tar, with the libraries it needs, for a helper whose image has none."""

import functools
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devmount.volumes import tarstream
from devmount.volumes.tarstream import Member

FOLDER = "/devmount-tar"
LIMIT = 20.0  # seconds
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}  # the kernel's words for the engine's; others are the same


@dataclass(frozen=True, slots=True)
class HostTar:
    """``argv``: how it is called once ``packed``, a tar stream, is unpacked at ``/``."""

    argv: tuple[str, ...]
    packed: bytes
    arch: str  # in the engine's words


@functools.cache
def host_tar() -> HostTar | None:
    """None where this host has no GNU tar, or is not Linux.

    The loader (ld.so(8)) is called with the folder of the libraries, so that the image needs none.
    """
    program = shutil.which("tar")
    if program is None or platform.system() != "Linux" or b"GNU tar" not in _said(program, "--version"):
        return None
    libraries = [Path(found) for found in re.findall(r"(/\S+) \(0x", _said("ldd", program).decode(errors="replace"))]
    loader = next((path for path in libraries if path.name.startswith("ld-")), None)
    if libraries and loader is None:
        return None
    inside = f"{FOLDER}/tar"
    argv = (f"{FOLDER}/{loader.name}", "--library-path", FOLDER, inside) if loader else (inside,)
    stream = tarstream.encode(Member(FOLDER[1:].encode(), tarstream.FOLDER, mode=0o755))
    try:
        for name, path in [("tar", Path(program)), *((library.name, library) for library in libraries)]:
            content = path.read_bytes()
            member = Member(f"{FOLDER[1:]}/{name}".encode(), size=len(content), mode=0o755)
            stream += tarstream.encode(member) + tarstream.padded(content)
    except OSError:
        return None
    machine = platform.machine()
    return HostTar(argv, stream + tarstream.END, MACHINES.get(machine, machine))


def _said(*argv: str) -> bytes:
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, env={"LC_ALL": "C"}
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return b""
