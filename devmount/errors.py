"""What goes wrong, and what to do about it.

Two families: a ``DevmountError`` ends the command that raised it; what is reported while a session goes on is an
``events.Error`` or ``events.Warning``. Only ``cli`` prints an error and turns it into an exit code.
"""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_ENGINE = 3
EXIT_INTERRUPTED = 130

MASK = "********"  # stands for a value that is not told


class DevmountError(Exception):
    """What the user asked for failed.

    Args:
        message: what is wrong, one line.
        where: the file and line, container, image or path it concerns; may be empty.
        hint: what to do about it; may be empty.
    """

    exit_code = EXIT_FAILED

    def __init__(self, message: str, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def lines(self) -> list[str]:
        """The error as a person reads it: what, where, what to do."""
        return [line for line in (self.message, self.where, self.hint) if line]


class UsageError(DevmountError):
    """The command line or the project file is wrong."""

    exit_code = EXIT_USAGE


class NoEngineError(DevmountError):
    """No engine answers."""

    exit_code = EXIT_NO_ENGINE


class ConfigError(UsageError):
    """One or more mistakes in the project file, all found in one reading.

    Args:
        problems: one error a mistake, in the order of the file.
    """

    def __init__(self, problems: "list[UsageError]") -> None:
        first = problems[0]
        super().__init__(first.message, first.where, first.hint)
        self.problems = problems
