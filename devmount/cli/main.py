"""The entry point. What every command has in common: its options, its errors, its exit codes."""

import os
import sys
from collections.abc import Sequence

from devmount import __version__
from devmount.cli.words import hoist
from devmount.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, ConfigError, DevmountError, UsageError

ASKED = "_DEVMOUNT_COMPLETE"  # a shell wants words to complete; set by the scripts that typer makes


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; its exit code."""
    _open_closed_streams()
    arguments = hoist(list(sys.argv[1:] if argv is None else argv))
    if arguments == ["--version"]:
        print(f"devmount {__version__}")  # before anything is imported: editors ask often
        return 0
    if ASKED in os.environ:
        from devmount.cli.completing import prepare

        prepare(os.environ)
    from devmount.cli.app import app
    from devmount.ui.errors import print_error

    debug = "--debug" in arguments
    try:
        result = app(arguments or ["--help"], standalone_mode=False, prog_name="devmount")
    except DevmountError as error:
        if debug:
            _print_traceback(error)
        else:
            print_error(_masked(error), sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more: end quietly
        return 0
    except Exception as error:
        return _usage(error, debug)
    return result if isinstance(result, int) else 0


def _open_closed_streams() -> None:
    """Stand in for standard streams that the caller has closed: what is opened first would else become one of them."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - as long as the process


def _usage(error: Exception, debug: bool) -> int:
    """The exit code of the command line parser's own errors; any other error is a defect."""
    import typer
    from typer.exceptions import TyperException

    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, typer.Abort):
        return EXIT_INTERRUPTED
    from devmount.ui.errors import print_error

    if isinstance(error, TyperException):
        message, given = error.format_message(), getattr(error, "ctx", None)
        if message.startswith("Usage:"):  # a group of commands without one of them: its help
            print(message, file=sys.stderr)
            return EXIT_USAGE
        usage = " ".join(given.get_usage().split()) if given else ""
        hint = f"see {given.command_path if given else 'devmount'} --help"
        print_error(DevmountError(message[:1].lower() + message[1:].removesuffix("."), usage, hint), sys.stderr)
        return EXIT_USAGE
    if debug:
        _print_traceback(error)
        return EXIT_FAILED
    defect = DevmountError(f"internal error: {error!r}", "", "run it again with --debug and report it")
    print_error(_masked(defect), sys.stderr)
    return EXIT_FAILED


def _masked(error: DevmountError) -> DevmountError:
    """The error without what variables and env files held; its problems each."""
    from devmount.cli.masking import masked

    if isinstance(error, ConfigError):
        return ConfigError([UsageError(masked(p.message), masked(p.where), masked(p.hint)) for p in error.problems])
    return DevmountError(masked(error.message), masked(error.where), masked(error.hint))


def _print_traceback(error: Exception) -> None:
    import traceback

    from devmount.cli.masking import masked

    text = "".join(traceback.format_exception(error))
    sys.stderr.write(masked(text).encode("utf-8", "backslashreplace").decode())
