"""Every wrong file gets one message that says all of what is wrong, where, and what to do.

A case is a file in ``wrong/``: the project file, other files of the folder below ``=== NAME``, and below ``=== error``
what is printed, whole; ``{root}`` stands for the folder.
"""

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from devmount.config import load
from devmount.errors import EXIT_USAGE, UsageError
from devmount.ui.errors import print_error
from tests.harness import devmount

CASES = sorted((Path(__file__).parent / "wrong").glob("*.txt"))


def sections(text: str) -> dict[str, str]:
    """The texts of a case by the name of their file, the project file first."""
    first, *rest = re.split(r"^=== (.+)\n", text, flags=re.MULTILINE)
    return {".devmount.toml": first, **dict(zip(rest[::2], rest[1::2], strict=True))}


def written(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """The project file of a folder with these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / ".devmount.toml"


def message(file: Path, profile: str | None = None) -> str:
    """What is printed of the errors of a project file."""
    with pytest.raises(UsageError) as caught:
        load(file, profile=profile, environ={})
    assert caught.value.exit_code == EXIT_USAGE
    stream = io.StringIO()
    print_error(caught.value, stream)
    return stream.getvalue().replace(os.fspath(file.parent), "{root}")


def wrong(folder: Path, content: str | bytes) -> str:
    return message(written(folder, {".devmount.toml": content}))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_wrong_file_gets_exactly_this_message(case: Path, tmp_path: Path) -> None:
    files = sections(case.read_text())
    expected = files.pop("error")
    assert message(written(tmp_path, files)) == expected


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 70


def test_the_command_prints_the_same_and_exits_2(tmp_path: Path) -> None:
    file = written(tmp_path, {".devmount.toml": '[app]\nimage = "x"\nprots = [8000]\nuser = 5\n'})
    done = devmount(tmp_path, "config")
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
    assert done.stderr.replace(os.fspath(tmp_path), "{root}") == message(file)


# files that are not text to be written into a case


def test_an_empty_file(tmp_path: Path) -> None:
    assert wrong(tmp_path, "") == (
        'error: there is no [app]\n  {root}/.devmount.toml\n  add it: [app] with image = "..." or build = "."\n'
    )


def test_only_comments(tmp_path: Path) -> None:
    assert wrong(tmp_path, "# nothing yet\n\n") == (
        'error: there is no [app]\n  {root}/.devmount.toml\n  add it: [app] with image = "..." or build = "."\n'
    )


def test_a_byte_order_mark_does_not_shift_the_place(tmp_path: Path) -> None:
    assert wrong(tmp_path, b"\xef\xbb\xbf[app]\nimage = 3\n") == (
        "error: image must be a string, not a number\n"
        "  {root}/.devmount.toml:2:9\n"
        "  2 | image = 3\n"
        "    |         ^\n"
        '  write, for example, image = "python:3.12-slim"\n'
    )


def test_a_byte_order_mark_and_crlf_are_no_mistake(tmp_path: Path) -> None:
    file = written(tmp_path, {".devmount.toml": b'\xef\xbb\xbf[app]\r\nimage = "x"\r\n'})
    assert load(file, profile=None, environ={}).project.app.image == "x"


def test_crlf_is_not_shown(tmp_path: Path) -> None:
    assert wrong(tmp_path, b'[app]\r\nimage = "x"\r\nprots = [1]\r\n') == (
        "error: unknown key 'prots' in [app]\n"
        "  {root}/.devmount.toml:3:1\n"
        "  3 | prots = [1]\n"
        "    | ^^^^^\n"
        "  did you mean 'ports'?\n"
    )


def test_ten_megabytes(tmp_path: Path) -> None:
    assert wrong(tmp_path, b'[app]\nimage = "x"\n' + b"# filler\n" * 1_200_000) == (
        "error: the file is larger than 1024 KiB\n  {root}/.devmount.toml\n  this is not a project file\n"
    )


def test_utf_16(tmp_path: Path) -> None:
    assert wrong(tmp_path, '[app]\nimage = "x"\n'.encode("utf-16")) == (
        "error: the file is not UTF-8\n  {root}/.devmount.toml:1\n  save it as UTF-8\n"
    )


def test_latin_1_names_its_line(tmp_path: Path) -> None:
    assert wrong(tmp_path, '[app]\nimage = "x"\ncommand = "café"\n'.encode("latin-1")) == (
        "error: the file is not UTF-8\n  {root}/.devmount.toml:3\n  save it as UTF-8\n"
    )


def test_a_null_byte(tmp_path: Path) -> None:
    assert wrong(tmp_path, b'[app]\nimage = "x\0y"\n') == (
        "error: not TOML: illegal character '\\x00'\n"
        "  {root}/.devmount.toml:2:11\n"
        '  2 | image = "x?y"\n'
        "    |           ^\n"
        "  see toml.io for how TOML is written\n"
    )


def test_a_thousand_brackets(tmp_path: Path) -> None:
    assert wrong(tmp_path, "a = " + "[" * 5000 + "]" * 5000) == (
        "error: the file is nested too deep\n  {root}/.devmount.toml\n  this is not a project file\n"
    )


def test_a_long_line_is_shown_around_its_mistake(tmp_path: Path) -> None:
    pad = "a" * 200
    assert wrong(tmp_path, f'app = {{ image = "{pad}", prots = [1] }}\n') == (
        "error: unknown key 'prots' in [app]\n"
        "  {root}/.devmount.toml:1:221\n"
        "  1 | " + "a" * 47 + '", prots = [1] }\n'
        "    | " + " " * 50 + "^^^^^\n"
        "  did you mean 'ports'?\n"
    )


def test_a_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    assert wrong(tmp_path, '[app]\nimage = "x"\nenv_files = ["\\u001b[2J"]\n"\\u001bports" = 1\n') == (
        "error: there is no env file \\x1b[2J\n"
        "  {root}/.devmount.toml:3:14\n"
        '  3 | env_files = ["\\u001b[2J"]\n'
        "    |              ^^^^^^^^^^^\n"
        '  make it, or write "\\x1b[2J?" if it may be missing\n'
        "error: unknown key '\\x1bports' in [app]\n"
        "  {root}/.devmount.toml:4:1\n"
        '  4 | "\\u001bports" = 1\n'
        "    | ^^^^^^^^^^^^^\n"
        "  did you mean 'ports'?\n"
    )


def test_a_folder_in_its_place_and_a_link_to_nothing(tmp_path: Path) -> None:
    hint = "write one with devmount init, or use -C DIR or --file FILE"
    expected = f"error: there is no .devmount.toml here or above\n  {tmp_path}\n  {hint}\n"
    (tmp_path / ".devmount.toml").mkdir()
    done = devmount(tmp_path, "config")
    assert (done.returncode, done.stderr) == (EXIT_USAGE, expected)
    (tmp_path / ".devmount.toml").rmdir()
    (tmp_path / ".devmount.toml").symlink_to("nowhere")
    done = devmount(tmp_path, "config")
    assert (done.returncode, done.stderr) == (EXIT_USAGE, expected)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert message(tmp_path / ".devmount.toml") == (
        "error: the project file cannot be read: No such file or directory\n  {root}/.devmount.toml\n"
    )


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    file = written(tmp_path, {".devmount.toml": '[app]\nimage = "x"\n[profiles.release.app]\n[profiles.ci.app]\n'})
    assert message(file, profile="relaese") == (
        "error: there is no profile 'relaese'\n  {root}/.devmount.toml\n  did you mean 'release'?\n"
    )
    assert message(file, profile="x") == (
        "error: there is no profile 'x'\n  {root}/.devmount.toml\n  known profiles: release, ci\n"
    )


def test_a_mistake_in_a_profile_is_shown_where_it_stands(tmp_path: Path) -> None:
    file = written(tmp_path, {".devmount.toml": '[app]\nimage = "x"\n\n[profiles.ci.app]\nstop_timeout = "soon"\n'})
    assert load(file, profile=None, environ={}).project.app.stop_timeout == 3.0
    assert message(file, profile="ci") == (
        "error: 'soon' is not a duration\n"
        "  {root}/.devmount.toml:5:16\n"
        '  5 | stop_timeout = "soon"\n'
        "    |                ^^^^^^\n"
        '  write a number with ms, s, m or h: "500ms", "3s"\n'
    )
