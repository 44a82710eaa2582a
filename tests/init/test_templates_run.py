"""Every template that Debian's packages allow: a folder, ``devmount init``, ``devmount up``, an edit, what is seen.

One local image stands for all the public ones; everything else in the file is as ``init`` wrote it.
"""

import json
import socket
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.harness import Up, devmount, edit, get, leftovers, remove, wait_for_page
from tests.init.conftest import BUILD_SECONDS

pytestmark = [pytest.mark.engine, pytest.mark.timeout(BUILD_SECONDS + 300)]

START_SECONDS = 240
CTRL_C_EXIT = 130
# What the public images run; Debian's redis listens to its own machine alone, and keeps its data elsewhere.
COMPANIONS = {
    "postgres": "companion-postgres",
    "mysql": "companion-mysql",
    "redis": "redis-server --appendonly yes --protected-mode no --dir /data",
}
DJANGO = """
import os, sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path
settings.configure(DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"])
urlpatterns = [path("", lambda request: HttpResponse("Hello one"))]
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""
PYTHON = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"Hello one")
if __name__ == "__main__":
    HTTPServer(("", 8000), Handler).serve_forever()
"""
FASTAPI = """
from fastapi import FastAPI
api = FastAPI()
@api.get("/")
def page():
    return "Hello one"
"""
GO = """package main
import ("fmt"; "net")
func main() {
	l, err := net.Listen("tcp", ":8080")
	if err != nil { panic(err) }
	for {
		c, _ := l.Accept()
		c.Read(make([]byte, 4096))
		fmt.Fprint(c, "HTTP/1.0 200 OK\\r\\n\\r\\nHello one")
		c.Close()
	}
}
"""
NODE = "require('http').createServer((q, s) => s.end('Hello one')).listen(process.env.PORT || 4000)\n"
VITE = {"name": "x", "private": True, "scripts": {"dev": "vite"}, "devDependencies": {"vite": "^5.4.0"}}


@dataclass(frozen=True)
class Case:
    """A project, the file that is edited, what comes of it, and the port of the container that is asked."""

    files: dict[str, str]
    edited: str
    action: str
    port: int = 8000
    path: str = "/"
    local: str = ""
    companions: Sequence[str] = field(default=())


CASES = {
    "python": Case({"main.py": PYTHON}, "main.py", "restart", local="ready = { port = 8000 }\n"),
    "flask": Case(
        {
            "requirements.txt": "flask\n",
            "app.py": "from flask import Flask\napp = Flask(__name__)\n"
            "@app.get('/')\ndef page():\n    return 'Hello one'\n",
        },
        "app.py",
        "restart",
    ),
    "django": Case({"manage.py": DJANGO}, "manage.py", "restart"),
    "fastapi": Case(
        {
            "requirements.txt": "uvicorn\n",  # of Debian's packages pip finds that fastapi lacks one
            "shop/__init__.py": "",
            "shop/main.py": FASTAPI,
        },
        "shop/main.py",
        "restart",
    ),
    "node": Case(
        {"package.json": json.dumps({"scripts": {"start": "node server.js"}}), "server.js": NODE},
        "server.js",
        "restart",
        4000,
    ),
    "vite": Case(
        {
            "package.json": json.dumps(VITE),
            "index.html": "<script type=module src=/main.js></script>",
            "main.js": "console.log('Hello one')\n",
        },
        "main.js",
        "none",
        5173,
        "/main.js",
    ),
    "go": Case({"go.mod": "module shop\n\ngo 1.19\n", "main.go": GO}, "main.go", "restart", 8080),
    "ruby": Case(
        {
            "Gemfile": "source 'https://rubygems.org'\ngem 'rack'\ngem 'webrick'\n",
            "config.ru": "run ->(e) { [200, {}, ['Hello one']] }\n",
        },
        "config.ru",
        "restart",
        9292,
    ),
    "php": Case({"composer.json": "{}", "public/index.php": "<?php echo 'Hello one';\n"}, "public/index.php", "none"),
    "static": Case({"index.html": "<p>Hello one</p>\n"}, "index.html", "none", 80),
    "dockerfile": Case(
        {"Dockerfile": 'FROM {image}\nWORKDIR /srv\nEXPOSE 4000\nCMD ["node", "server.js"]\n', "server.js": NODE},
        "server.js",
        "restart",
        4000,
    ),
}


class Project:
    """A folder for which ``init`` has written the file, under a project name of its own."""

    def __init__(self, folder: Path, image: str, template: str, case: Case) -> None:
        self.folder = folder
        self.name = f"test-init-{uuid.uuid4().hex[:8]}"
        for path, text in case.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text.replace("{image}", image))
        chosen = [word for name in case.companions for word in ("--with", name)]
        done = devmount(folder, "init", "--json", *chosen)
        assert done.returncode == 0, done.stderr
        assert f"the template {template}" in done.stdout
        assert json.loads(done.stdout)["mistakes"] == []
        same = "" if template == "dockerfile" else f'image = "{image}"\n'
        local = f'name = "{self.name}"\n[app]\n{same}ports = ["0:{case.port}"]\n{case.local}'
        for name in case.companions:
            local += f'[services.{name}]\nimage = "{image}"\n'
            local += f'command = "{COMPANIONS[name]}"\n'
        (folder / ".devmount.local.toml").write_text(local)


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path, image: str) -> Iterator[Project]:
    folder = tmp_path / "shop"
    folder.mkdir()
    template, case = request.param
    made = Project(folder, image, template, case)
    yield made
    remove(made.name)


def stop_and_check(project: Project, up: Up) -> None:
    assert up.stop(40) == CTRL_C_EXIT, up.report()
    down = devmount(project.folder, "down", "--volumes", "--yes")
    assert down.returncode == 0, down.stderr
    assert leftovers(project.name) == []


@pytest.mark.parametrize(
    ("project", "case"), [pytest.param(one, one[1], id=one[0]) for one in CASES.items()], indirect=["project"]
)
def test_the_template_starts_and_takes_up_an_edit(project: Project, case: Case) -> None:
    with Up(project.folder) as up:
        up.wait("ready", START_SECONDS, service="app")
        url = up.url(case.path)
        wait_for_page(url, "Hello one", 60)
        mark = up.mark()
        edit(project.folder / case.edited, "Hello one", "Hello two")
        up.wait("change" if case.action == "none" else "reload", since=mark)
        wait_for_page(url, "Hello two", 60)
        reloads = up.all("reload", since=mark)
        assert [row["action"] for row in reloads] == ([] if case.action == "none" else [case.action]), up.report()
        stop_and_check(project, up)


ASKING = """
import os, subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
def run(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()
def answer():
    redis = os.environ["REDIS_URL"].split("/")[2].split(":")[0]
    mysql = os.environ["MYSQL_URL"].split("@")[1].split(":")[0]
    table = "CREATE TABLE IF NOT EXISTS seen (n int); INSERT INTO seen VALUES (1); SELECT count(*) FROM seen"
    return " ".join([
        run("redis-cli", "-h", redis, "INCR", "seen"),
        run("psql", "-qtA", os.environ["DATABASE_URL"], "-c", table),
        run("mysql", "-N", "-h", mysql, "-u", "app", "-papp", "app", "-e", table),
    ])
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        text = answer()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())
if __name__ == "__main__":
    HTTPServer(("", 8000), Handler).serve_forever()
"""
WITH_COMPANIONS = Case(
    {"main.py": ASKING},
    "main.py",
    "restart",
    local="ready = { port = 8000 }\n",
    companions=("postgres", "mysql", "redis"),
)


@pytest.mark.parametrize("project", [("python", WITH_COMPANIONS)], indirect=True)
def test_the_companions_answer_and_keep_what_they_were_given(project: Project) -> None:
    for expected in ("1 1 1", "2 2 2"):
        with Up(project.folder) as up:
            up.wait("ready", START_SECONDS, service="app")
            ready = [row["service"] for row in up.all("ready")]
            assert ready[-1] == "app"
            assert set(ready) == {"app", "postgres", "mysql", "redis"}
            assert get(up.url(), 30) == expected
            if expected == "1 1 1":
                assert up.stop(40) == CTRL_C_EXIT, up.report()
                assert devmount(project.folder, "down").returncode == 0
            else:
                stop_and_check(project, up)


DEBUGGERS = {"flask": (5678, b"Content-Length: "), "node": (9229, b"HTTP/1.0 200 OK")}


@pytest.mark.parametrize(
    ("project", "template"),
    [(("flask", CASES["flask"]), "flask"), (("node", CASES["node"]), "node")],
    indirect=["project"],
)
def test_a_debugger_can_attach(project: Project, template: str) -> None:
    port, greeting = DEBUGGERS[template]
    local = project.folder / ".devmount.local.toml"
    local.write_text(f'{local.read_text()}[profiles.debug.app]\nports = ["0:{CASES[template].port}", "0:{port}"]\n')
    with Up(project.folder, options=["--profile", "debug"]) as up:
        up.wait("ready", START_SECONDS, service="app")
        wait_for_page(up.url(port=CASES[template].port), "Hello one", 60)
        host, _, number = up.url("", port=port).removeprefix("http://").partition(":")
        with socket.create_connection((host, int(number)), 30) as connection:
            connection.sendall(b"GET /json/version HTTP/1.0\r\n\r\n" if template == "node" else b"")
            assert connection.recv(100).startswith(greeting)
        stop_and_check(project, up)


def test_every_template_is_started_or_needs_what_debian_has_not() -> None:
    from devmount.init import templates

    assert set(templates.names()) - set(CASES) == {"next", "rust"}
    assert set(WITH_COMPANIONS.companions) == set(templates.COMPANIONS)
    for name in ("next", "rust"):
        assert tomllib.loads(templates.render(templates.text(name), {}, {}))["app"]["image"]
