"""What is found: how it bears on ``up``, what is wrong, where, and the mend."""

from dataclasses import dataclass
from enum import StrEnum

from devmount.engine.about import About


class Level(StrEnum):
    """How a finding bears on ``up``: not at all; it works, with a drawback; it cannot work."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """``check``: what was looked at, a name that stays. ``mend``: what to do; empty when all is well."""

    check: str
    level: Level
    message: str
    where: str = ""
    mend: str = ""

    def to_json(self) -> dict[str, str]:
        return {
            "check": self.check,
            "level": str(self.level),
            "message": self.message,
            "where": self.where,
            "mend": self.mend,
        }


def warning(check: str, message: str, mend: str, where: str = "") -> Finding:
    return Finding(check, Level.WARNING, message, where, mend)


def error(check: str, message: str, mend: str, where: str = "") -> Finding:
    return Finding(check, Level.ERROR, message, where, mend)


def program(engine: About | None) -> str:
    return "podman" if engine is not None and engine.is_podman else "docker"
