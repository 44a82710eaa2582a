"""Projects made for one test, on the real engine."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import remove

Make = Callable[..., Path]

SERVER = """
use IO::Socket::INET;
open(my $f, "<", "text"); my $t = join("", <$f>); close $f;
my $s = IO::Socket::INET->new(LocalAddr => "0.0.0.0", LocalPort => 8000, Listen => 9, ReuseAddr => 1) or die;
$| = 1; print "serving\\n";
while (my $c = $s->accept) { while (<$c>) { last if /^\\r?\\n$/ } print $c "HTTP/1.0 200 OK\\r\\n\\r\\n$t"; close $c; }
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Write a project: ``make(toml, {"path": text})``; its folder. All of it is removed from the engine afterwards."""
    names: list[str] = []

    def write(toml: str, files: dict[str, str] | None = None, *, name: str | None = None) -> Path:
        name = name or f"dmtest-{uuid.uuid4().hex[:8]}"
        names.append(name)
        folder = tmp_path / name
        folder.mkdir()
        for path, text in (files or {}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        (folder / ".devmount.toml").write_text(f'name = "{name}"\n{toml}')
        return folder

    yield write
    for name in names:
        remove(name)


@pytest.fixture
def server(make: Make) -> Callable[..., Path]:
    """A project whose app serves the content of ``text`` as it was at its start, on a free port of the host."""

    def write(extra: str = "", files: dict[str, str] | None = None) -> Path:
        toml = f"""
[app]
image = "debian:bookworm-slim"
command = "perl server.pl"
ports = ["0:8000"]
ready = {{ http = "/" }}
{extra}
"""
        return make(toml, {"server.pl": SERVER, "text": "one", **(files or {})})

    return write
