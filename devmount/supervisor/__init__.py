"""The process in the container that starts the program, restarts it on command, and tells what becomes of it.

Theory of operation. The container runs ``sh -c SCRIPT`` under the engine's init, in place of the image's program, which
the script starts in a session of its own. Commands come as lines on the container's standard input; reports go out as
control records within the log: an APC sequence (ECMA-48, 8.3.2), which a terminal does not show, on a line of its own.
All timing is the host's: the script sends the signals it is told to send and waits for nothing but its next line.

``restart SIG`` stops the process group and starts the program when it has ended; ``stop SIG`` leaves it ended;
``start`` starts it; ``signal SIG`` goes to the program's first process alone; ``kill`` is SIGKILL to the group, as long
as a restart waits for its end; ``status`` repeats the state.
"""

import re
import signal as signals
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

RECORD_START = b"\x1b_devmount;"
RECORD_END = b"\x1b\\"


@dataclass(frozen=True, slots=True)
class ProcessStarted:
    """The program runs. ``pid``: its process id in the container."""

    pid: int


@dataclass(frozen=True, slots=True)
class ProcessExited:
    """The program has ended, with an exit code or by a signal ("SIGKILL")."""

    code: int | None
    signal: str | None


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal was sent to the program."""

    signal: str


Record = ProcessStarted | ProcessExited | Signalled


@cache
def script() -> str:
    """The script as it is handed over: without comments and indentation, for it stands in the container's command."""
    text = files(__package__).joinpath("supervise.sh").read_text()
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def command(argv: Sequence[str], stop_signal: str) -> list[str]:
    """The container's command that supervises ``argv``."""
    return ["sh", "-c", script(), "devmount", _short(stop_signal), *argv]


def entrance() -> list[str]:
    """A command, to be run in the container as its user, that hands lines of its standard input to the supervisor.

    The supervisor is what init starts first, so of the processes after init it has the lowest id, always.
    """
    find = 'n=2; until [ -d "/proc/$n" ]; do n=$((n + 1)); done'
    return ["sh", "-c", f'{find}; while read -r line; do echo "$line"; done >"/proc/$n/fd/3"']


def restart(signal: str) -> bytes:
    return f"restart {_short(signal)}\n".encode()


def stop(signal: str) -> bytes:
    return f"stop {_short(signal)}\n".encode()


def signal(name: str) -> bytes:
    return f"signal {_short(name)}\n".encode()


def kill() -> bytes:
    return b"kill\n"


def start() -> bytes:
    return b"start\n"


def status() -> bytes:
    return b"status\n"


def _short(signal: str) -> str:
    """POSIX's kill takes the name without SIG."""
    return signal.removeprefix("SIG")


def parse_record(text: str) -> Record | None:
    """A record's content ("exited;3"); None when it is none of ours."""
    kind, _, argument = text.partition(";")
    if kind == "signalled" and re.fullmatch(r"[A-Z0-9+-]+", argument):
        return Signalled("SIG" + argument)
    if not re.fullmatch(r"\d{1,10}", argument):
        return None
    if kind == "started":
        return ProcessStarted(int(argument))
    if kind == "exited":
        return ProcessExited(*split_status(int(argument)))
    return None


def split_status(status: int) -> tuple[int | None, str | None]:
    """A shell's exit status as exit code or signal name: above 128 it is 128 + the signal (POSIX, 2.8.2)."""
    if status > 128:
        try:
            return None, signals.Signals(status - 128).name
        except ValueError:
            pass
    return status, None
