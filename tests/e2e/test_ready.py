"""When a service counts as ready, with a program that does not listen before it is told to."""

import pytest

from tests.e2e.conftest import Make
from tests.harness import Up, containers, devmount, docker, save

pytestmark = pytest.mark.engine

# Waits for the file "go"; its first line is what the server answers with.
PROGRAM = """
use IO::Socket::INET;
$| = 1; print "waiting\\n";
select(undef, undef, undef, 0.02) until -s "go";
open(my $f, "<", "go"); my $status = <$f>; close $f; chomp $status;
my $s = IO::Socket::INET->new(LocalAddr => $ARGV[0], LocalPort => 8000, Listen => 9, ReuseAddr => 1) or die;
open(my $done, ">", "/tmp/listening"); close $done;
print "listening now\\n";
while (my $c = $s->accept) { while (<$c>) { last if /^\\r?\\n$/ } print $c "HTTP/1.0 $status\\r\\n\\r\\n"; close $c; }
"""
FILE = """
[app]
image = "debian:bookworm-slim"
command = "perl server.pl {address}"
ports = [{ports}]
ready = {{ {ready}, timeout = "{timeout}" }}
stop_timeout = "1s"

[[app.on_change]]
files = ["go"]
action = "none"
"""


def project(ready: str, *, ports: str = '"0:8000"', address: str = "0.0.0.0", timeout: str = "60s") -> str:
    return FILE.format(ready=ready, ports=ports, address=address, timeout=timeout)


WAYS = {
    "port": project("port = 8000", ports=""),
    "port-on-loopback": project("port = 8000", ports="", address="127.0.0.1"),
    "port-published": project("port = 8000"),
    "http": project('http = "/"'),
    "http-with-port": project('http = "/", port = 8000', ports='"0:9000", "0:8000"'),
    "command": project('command = "test -e /tmp/listening"'),
    "command-as-a-list": project('command = ["sh", "-c", "test -e /tmp/listening"]'),
    "log": project('log = "^listening \\\\w+$"'),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_service_is_ready_when_it_is_and_not_before(make: Make, way: str) -> None:
    folder = make(WAYS[way], {"server.pl": PROGRAM})
    with Up(folder) as up:
        up.wait("log", predicate=lambda row: row["line"] == "waiting")
        docker("exec", containers(folder.name)[0], "true")  # long enough for a look that would be wrong
        assert up.all("ready") == []
        save(folder / "go", "200 OK")
        ready = up.wait("ready", service="app")
        assert ready["seconds"] > 0
        # a restarted program has to become ready anew
        mark = up.mark()
        (folder / "go").write_text("")
        save(folder / "server.pl", PROGRAM + "# changed\n")
        up.wait("log", predicate=lambda row: row["line"] == "waiting", since=mark)
        assert up.all("ready", since=mark) == []
        save(folder / "go", "200 OK")
        up.wait("ready", service="app", since=mark)
        assert up.stop() == 130


@pytest.mark.parametrize(("status", "counts"), [("404 Not Found", True), ("503 Not Yet", False)])
def test_an_answer_counts_unless_the_server_says_it_failed(make: Make, status: str, counts: bool) -> None:
    folder = make(project('http = "/"', timeout="60s" if counts else "2s"), {"server.pl": PROGRAM, "go": status})
    with Up(folder) as up:
        if counts:
            up.wait("ready")
        else:
            up.wait("warning", predicate=lambda row: "not ready after 2 s" in row["message"])
            assert up.all("ready") == []
        assert up.stop() == 130


def test_a_program_that_is_not_ready_in_time_is_said_and_goes_on(make: Make) -> None:
    folder = make(project("port = 8000", timeout="1s"), {"server.pl": PROGRAM})
    with Up(folder) as up:
        warning = up.wait("warning", service="app")
        assert "not ready after 1 s" in warning["message"]
        assert "ready.timeout" in warning["hint"]
        assert containers(folder.name, running=True)
        mark = up.mark()
        save(folder / "server.pl", PROGRAM + "# changed\n")
        up.wait("reload", since=mark)
        assert up.stop() == 130


def test_a_program_that_dies_before_it_is_ready_is_a_crash_and_the_next_save_mends_it(make: Make) -> None:
    folder = make(project("port = 8000"), {"server.pl": "exit 4;\n"})
    with Up(folder) as up:
        assert up.wait("exited", service="app")["code"] == 4
        assert up.all("ready") == []
        mark = up.mark()
        (folder / "go").write_text("200 OK")
        save(folder / "server.pl", PROGRAM)
        up.wait("ready", since=mark)
        assert up.stop() == 130


SAYS_AT_ONCE = """
[app]
image = "debian:bookworm-slim"
command = "sh -c 'echo up; exec sleep 600'"
ready = { log = "^up$", timeout = "20s" }
stop_timeout = "1s"
depends_on = ["companion"]

[services.companion]
image = "debian:bookworm-slim"
command = "sh -c 'echo up; exec sleep 600'"
ready = { log = "^up$", timeout = "20s" }
stop_timeout = "1s"
"""


def test_a_line_that_is_said_at_once_or_before_this_session_counts(make: Make) -> None:
    folder = make(SAYS_AT_ONCE)
    for _ in range(2):  # the second time what runs is taken over
        with Up(folder, "--keep") as up:
            for service in ("companion", "app"):
                up.wait("ready", service=service)
            assert up.stop() == 130
    assert len(containers(folder.name, running=True)) == 2


@pytest.mark.parametrize(("code", "said"), [(0, 0), (3, 1)])
def test_a_detached_start_returns_where_a_program_has_ended(make: Make, code: int, said: int) -> None:
    program = f"sleep 0.2; exit {code}"
    folder = make(
        f'[app]\nimage = "debian:bookworm-slim"\ncommand = ["sh", "-c", "{program}"]\nready = {{ log = "never" }}\n'
    )
    assert devmount(folder, "up", "--detach").returncode == said
    assert devmount(folder, "down").returncode == 0


def test_a_detached_start_waits_for_every_service(make: Make) -> None:
    folder = make(SAYS_AT_ONCE)
    done = devmount(folder, "up", "--detach")
    assert done.returncode == 0
    assert len(containers(folder.name, running=True)) == 2
    assert done.stdout.count("ready after") == 2
    assert devmount(folder, "down").returncode == 0
