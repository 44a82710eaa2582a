"""The bar, on a terminal of the test's making with a clock of the test's."""

import io

import pytest

from devmount.ui.progress import Bar, line, size_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


def test_the_parts_of_the_work_have_names_and_the_line_goes(terminal: Terminal) -> None:
    time = [0.0]
    with Bar(terminal, "data", lambda: time[0]) as bar:
        assert bar is not None
        bar(10, 100)
        assert terminal.getvalue() == "", "what is quick shows nothing"
        time[0] = 1.0
        bar(50, 100)
        assert "data  " in terminal.getvalue()
        assert " 50%" in terminal.getvalue()
        bar(60, 100)
        assert " 60%" not in terminal.getvalue(), "ten times a second at most"
        bar.step("verifying")
        time[0] = 2.0
        bar(20, None)
        assert "data: verifying  20 B  20 B/s" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[2K")


def test_without_a_terminal_there_is_no_bar(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    with Bar(io.StringIO(), "data") as bar:
        assert bar is None
    monkeypatch.setenv("TERM", "dumb")
    with Bar(terminal, "data") as bar:
        assert bar is None


def test_more_than_was_told_beforehand_is_all() -> None:
    assert "100%" in line("data", 120, 100, 1.0)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (640e6, "640 MB"), (1.1e9, "1.1 GB"), (5e15, "5000 TB")],
)
def test_sizes_are_dockers(size: float, text: str) -> None:
    assert size_text(size) == text
