"""``init --from compose.yaml``: what each key comes to, and that nothing is dropped in silence."""

import json
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devmount.config.keys import PROJECT
from devmount.errors import DevmountError, UsageError
from devmount.init import toml
from devmount.init.carry import carry
from devmount.init.compose import yaml
from devmount.init.compose.variables import split, translate
from tests.harness import devmount


def carried(
    folder: Path, text: str, app: str | None = None, **files: str
) -> tuple[dict[str, Any], list[str], list[str]]:
    """The values of the project file, what was said, and what was left."""
    for name, content in files.items():
        (folder / name).write_text(content)
    (folder / "compose.yaml").write_text(text)
    plan = carry(folder / "compose.yaml", folder, app)
    values = tomllib.loads(plan.text)
    assert list(PROJECT.check(values, ())) == [], plan.text
    return values, list(plan.said), list(plan.left)


# A key of a service, what [app] gets, and pieces of what is told of what is left.
KEYS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("command: python -m shop", {"command": "python -m shop"}, []),
    ("command: [python, -m, shop]", {"command": ["python", "-m", "shop"]}, []),
    ("command: ''", {}, []),
    ("entrypoint: /go\n    command: 'a \"b c\"'", {"command": ["/go", "a", "b c"]}, ["entrypoint: command holds it"]),
    ("entrypoint: []", {}, ["entrypoint: it is emptied"]),
    ("ports: ['8000:8000']", {"ports": [8000]}, []),
    (
        "ports: ['80:8000', '127.0.0.1:81:81', '[::1]:82:82', '53:53/udp']",
        {"ports": ["80:8000", "127.0.0.1:81:81", "[::1]:82:82", "53:53/udp"]},
        [],
    ),
    (
        "ports: [8000, '127.0.0.1::9000', '3000-3002', '3000-3002:4000-4002']",
        {"ports": ["0:8000", "127.0.0.1:0:9000", "3000-3002", "3000-3002:4000-4002"]},
        [],
    ),
    ("ports: ['${PORT:-80}:80', '$P:81']", {"ports": ["${PORT:-80}:80", "${P:-}:81"]}, []),
    ("ports: ['9000-9010:80', '1:1']", {"ports": [1]}, ["ports.0: 9000-9010:80: one of many"]),
    (
        "ports: [{target: 80, published: 8080, protocol: udp, host_ip: '::', mode: host}, {target: 81}]",
        {"ports": ["[::]:8080:80/udp", "0:81"]},
        [],
    ),
    ("ports: [{target: 80, x: 1}]", {"ports": ["0:80"]}, ["ports.0.x"]),
    (
        "volumes: ['.:/srv', './conf:/etc/a:ro', '~/x:/x', '/var/x:/y', 'data:/data']",
        {"mount": "/srv", "mounts": ["./conf:/etc/a:ro", "~/x:/x", "/var/x:/y", "data:/data"]},
        [],
    ),
    (
        "volumes: ['.:/srv:cached', './a:/a:ro,z']",
        {"mount": "/srv", "mounts": ["./a:/a:ro"]},
        ["volumes.1: the option z"],
    ),
    ("volumes: [/srv/node_modules, '.:/srv']", {"mount": "/srv", "shadow": ["node_modules"]}, []),
    (
        "volumes: [{type: bind, source: ., target: /srv}, {type: volume, source: d, target: /d, read_only: true, "
        "volume: {nocopy: true, subpath: x}}, {type: tmpfs, target: /t, tmpfs: {size: 1}}]",
        {"mount": "/srv", "mounts": ["d:/d:ro", {"type": "tmpfs", "target": "/t"}]},
        ["volumes.1.volume.subpath", "volumes.2.tmpfs.size"],
    ),
    ("volumes: [{type: npipe, source: a, target: /b}]", {}, ["volumes.0: a mount of type npipe"]),
    ("volumes: ['${DATA:-./data}:/data']", {"mounts": ["${DATA:-./data}:/data"]}, []),
    (
        "tmpfs: [/run, '/tmp:size=1m']",
        {"mounts": [{"type": "tmpfs", "target": "/run"}, {"type": "tmpfs", "target": "/tmp"}]},
        ["tmpfs: size=1m"],
    ),
    ("env_file: .env", {"env_files": [".env"]}, []),
    (
        "env_file: [a.env, {path: ./b.env, required: false, format: raw}]",
        {"env_files": ["a.env", "b.env?"]},
        ["env_file.1.format"],
    ),
    ("environment: [A=1, 'B=x=y', C]", {"environment": {"A": "1", "B": "x=y", "C": "${C:-}"}}, []),
    (
        "environment: {A: 1, B: true, C: 1.5, D: '$$x', E: }",
        {"environment": {"A": 1, "B": "true", "C": 1.5, "D": "$$x", "E": "${E:-}"}},
        [],
    ),
    (
        "environment: {A: '${B:+x}', C: '${D:-${E}}'}",
        {"environment": {"A": "${B:-}", "C": "${D:-}"}},
        ["environment.A: ${B:+x}", "environment.C: ${D:-${E}}"],
    ),
    ("user: '1000:1000'", {"user": "1000:1000"}, []),
    ("working_dir: /x\n    command: a 'b c'", {"command": ["sh", "-c", 'cd /x && exec "$@"', "sh", "a", "b c"]}, []),
    ("working_dir: /srv\n    volumes: ['.:/srv']", {"mount": "/srv"}, []),
    ("working_dir: /x", {}, ["working_dir: the program does not start in /x"]),
    (
        "healthcheck: {test: curl -f http://x/, interval: 5s}",
        {"ready": {"command": ["sh", "-c", "curl -f http://x/"]}},
        ["healthcheck.interval"],
    ),
    (
        "healthcheck: {test: [CMD, pg_isready, -U, '$$U'], retries: 4, start_period: 1m}",
        {"ready": {"command": ["pg_isready", "-U", "$$U"], "timeout": "180s"}},
        [],
    ),
    ("healthcheck: {disable: true}", {}, []),
    ("healthcheck: {test: [NONE]}", {}, []),
    ("stop_signal: SIGQUIT\n    stop_grace_period: 1m30s", {"stop_signal": "SIGQUIT", "stop_timeout": "1m30s"}, []),
    ("stop_signal: SIGNOPE\n    stop_grace_period: soon", {}, ["stop_signal: 'SIGNOPE'", "stop_grace_period: 'soon'"]),
    ("network_mode: host", {"network": "host"}, []),
    ("network_mode: 'service:db'", {}, ["network_mode: service:db"]),
    (
        "cap_add: [SYS_PTRACE, net_admin]\n    privileged: true\n    tty: true\n    init: true",
        {"cap_add": ["SYS_PTRACE", "NET_ADMIN"], "privileged": True, "tty": True},
        [],
    ),
    ("links: ['db:database']", {"depends_on": ["db"]}, ["links.0: the service is reached as db"]),
    ("depends_on: [db]", {"depends_on": ["db"]}, []),
    (
        "depends_on: {db: {condition: service_healthy, restart: true, required: false}, no: {}}",
        {"depends_on": [{"service": "db", "restart": True}]},
        ["depends_on.db.condition: db has no healthcheck", "depends_on.db.required", "depends_on.no: there is no such"],
    ),
    (
        "depends_on: {db: {condition: service_completed_successfully}}",
        {"depends_on": ["db"]},
        ["does not wait for the end"],
    ),
    *(
        (f"{key}: x", {}, [f"services.web.{key}: "])
        for key in [
            "container_name",
            "restart",
            "labels",
            "deploy",
            "logging",
            "hostname",
            "extra_hosts",
            "dns",
            "shm_size",
            "platform",
            "pull_policy",
            "expose",
            "devices",
            "ulimits",
            "sysctls",
            "security_opt",
            "group_add",
            "read_only",
            "pid",
            "ipc",
            "mac_address",
            "stdin_open",
            "gpus",
            "volumes_from",
        ]
    ),
    (
        "secrets: [{source: s, target: t, mode: 0400}]\n    configs: [c]",
        {"mounts": ["./s.txt:/run/secrets/t:ro", "./c.txt:/c:ro"]},
        ["secrets.0.mode"],
    ),
    ("secrets: [other]", {}, ["secrets.0: other is no file"]),
    (
        "develop: {watch: [{action: sync, path: ./src, target: /app/src}]}",
        {
            "mounts": ["./src:/app/src"],
            "on_change": [{"files": ["/src", "/src/**"], "action": "none"}, {"files": ["*"], "action": "none"}],
        },
        [],
    ),
    (
        "develop: {watch: [{action: sync, path: ., target: /app, ignore: [node_modules/, '*.log']}]}",
        {
            "mount": "/app",
            "shadow": ["node_modules"],
            "on_change": [
                {"files": ["*", "!/node_modules", "!/node_modules/**", "!/*.log", "!/*.log/**"], "action": "none"},
                {"files": ["*"], "action": "none"},
            ],
        },
        [],
    ),
    (
        "volumes: ['.:/app']\n    develop: {watch: [{action: sync, path: ., target: /app}, "
        "{action: restart, path: ./a.conf}, "
        "{action: rebuild, path: package.json, x: 1}]}",
        {
            "mount": "/app",
            "on_change": [
                {"files": ["/package.json", "/package.json/**"], "action": "rebuild"},
                {"files": ["/a.conf", "/a.conf/**"], "action": "restart"},
                {"files": ["*"], "action": "none"},
                {"files": ["*"], "action": "none"},
            ],
        },
        ["develop.watch.2.x"],
    ),
    (
        "volumes: ['.:/app']\n    develop: {watch: [{action: sync+exec, path: ./c, target: /app/c, include: '*.conf', "
        "exec: {command: [a, b], user: root, privileged: true}}, {action: sync+restart, path: ./d, target: /app/d}]}",
        {
            "mount": "/app",
            "on_change": [
                {"files": ["/d", "/d/**"], "action": "restart"},
                {"files": ["/c/**/*.conf"], "run": ["a", "b"], "run_user": "root", "action": "none"},
                {"files": ["*"], "action": "none"},
            ],
        },
        ["exec.privileged"],
    ),
    (
        "develop: {watch: [{action: fly, path: x}, {action: sync, path: ../y, target: /y}, 3]}",
        {},
        [
            "watch.0.action: there is no action fly",
            "watch.1.path: only what is in the project",
            "watch.2: it names no path",
        ],
    ),
]
ALWAYS = {"image": "x", "mount": "/workspace", "user": "image"}


@pytest.mark.parametrize(("yaml_text", "app", "left"), KEYS, ids=[row[0][:40] for row in KEYS])
def test_each_key_is_carried_over_or_told(tmp_path: Path, yaml_text: str, app: dict[str, Any], left: list[str]) -> None:
    text = f"""
services:
  web:
    image: x
    {yaml_text}
  db: {{image: y}}
secrets: {{s: {{file: ./s.txt}}, other: {{environment: X}}}}
configs: {{c: {{file: c.txt}}}}
"""
    values, _, told = carried(tmp_path, text, "web")
    assert values["app"] == {**ALWAYS, **app}
    told = [line for line in told if "it is called app now" not in line]
    assert [piece for piece in left if not any(piece in line for line in told)] == [], told
    assert all(any(piece in line for piece in left) for line in told), told
    assert all(line.startswith("compose.yaml:") for line in told), told


def test_builds(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "Dockerfile").write_text("FROM a\nWORKDIR /x\nFROM b\nWORKDIR /srv\n")
    for build, expected in (
        ("web", "web"),
        ("{context: ./web, target: dev}", {"context": "web", "target": "dev"}),
        ("{context: web, dockerfile: dev.Dockerfile, args: [A=1, B]}",
         {"context": "web", "dockerfile": "dev.Dockerfile", "args": {"A": "1", "B": "${B:-}"}}),
    ):  # fmt: skip
        values, _, left = carried(tmp_path, f"services: {{web: {{build: {build}, image: tag}}}}")
        assert values["app"]["build"] == expected
        assert "services.web.image" in left[0]
        assert all("services.web.build: the program does not start in /srv" in line for line in left[1:])
    _, _, left = carried(tmp_path, "services: {web: {build: 'https://x/y.git'}}")
    assert "build.context: devmount builds from folders only" in left[0]
    (tmp_path / "Dockerfile").write_text("FROM b\nWORKDIR /srv\n")
    values, said, _ = carried(tmp_path, "services: {web: {build: ., command: a}}")
    assert values["app"] == {"build": ".", "command": "a", "mount": "/srv", "user": "image"}
    assert "the project's folder appears at /srv, in place of what was copied there" in said


def test_the_service_that_is_worked_on_is_the_app(tmp_path: Path) -> None:
    for text, app in (
        ("{db: {image: a}, web: {build: .}}", "web"),
        ("{db: {image: a, ports: [1]}, web: {image: b}}", "db"),
        ("{a: {build: a}, b: {build: b, volumes: ['.:/x']}}", "b"),
        ("{a: {build: a, volumes: ['.:/x']}, b: {build: b, develop: {watch: [{action: restart, path: .}]}}}", "b"),
        ("{a: {build: a, profiles: [x]}, b: {image: b}}", "b"),
        ("{web: {build: .}, app: {image: b}}", "app"),
        ("{a: {image: a}, b: {image: b}}", "a"),
    ):
        _, said, _ = carried(tmp_path, f"services: {text}")
        assert said[0] == f"the service {app} is the app: --app NAME takes another"


def test_names_profiles_volumes_and_networks(tmp_path: Path) -> None:
    text = """
name: Shop 2
services:
  Web: {image: a, networks: [front], depends_on: [app.db, tool]}
  app.db: {image: b, networks: {front: {aliases: [data]}}, volumes: ["d:/d"], profiles: []}
  tool: {image: c, profiles: [x, y], depends_on: [app.db]}
volumes:
  {d: {driver: local, driver_opts: {o: bind, n: 1}, name: other}, e: {external: true, name: z}, "bad name": {}, f: }
networks: {front: {external: true}, back: }
x-any: 1
unknown: 2
"""
    values, said, left = carried(tmp_path, text)
    assert values == {
        "name": "shop-2",
        "app": {"image": "a", "mount": "/workspace", "user": "image", "depends_on": ["app-db"]},
        "services": {"app-db": {"image": "b", "mounts": ["d:/d"]}},
        "volumes": {"d": {"driver": "local", "options": {"o": "bind", "n": "1"}}, "e": {"external": True}},
        "profiles": {
            "x": {"services": {"tool": {"image": "c", "depends_on": ["app-db"]}}},
            "y": {"services": {"tool": {"image": "c", "depends_on": ["app-db"]}}},
        },
    }
    assert "one profile at a time: devmount up --profile x or y" in said
    for piece in (
        "compose.yaml:4: services.Web: it is called app now",
        "services.app.db: it is called app-db now",
        "services.Web.depends_on.tool: tool runs only with a profile",
        "services.app.db.networks.front.aliases",
        "volumes.d.name: a volume is named PROJECT_NAME",
        "volumes.e.name: an external volume has one name",
        "volumes.bad name: no volume can have this name",
        "networks.front: the project has one network",
        "networks: all services share one network",
        "unknown: the project file has no such key",
    ):
        assert any(piece in line for line in left), (piece, left)


def test_anchors_extends_and_includes_are_put_together(tmp_path: Path) -> None:
    sub = tmp_path / "sub"
    sub.mkdir()
    (sub / "base.yaml").write_text(
        "services:\n  base: {build: {context: ./img}, environment: {A: 1, B: 1}, env_file: e.env, "
        "volumes: ['./d:/d', 'v:/v']}\n"
    )
    (sub / "more.yaml").write_text("services: {db: {image: pg, volumes: ['./init:/init']}}\n")
    text = """
include: [sub/more.yaml]
x-env: &env {C: 3}
services:
  web:
    extends: {file: sub/base.yaml, service: base}
    environment: {<<: *env, B: 2}
    volumes: ["./own:/d"]
  two: {extends: web, command: x}
"""
    values, _, left = carried(tmp_path, text)
    assert values["app"]["build"] == "sub/img"
    assert values["app"]["environment"] == {"A": 1, "B": 2, "C": 3}
    assert values["app"]["env_files"] == ["sub/e.env"]
    assert values["app"]["mounts"] == ["v:/v", "./own:/d"]
    assert values["services"]["db"]["mounts"] == ["./sub/init:/init"]
    assert values["services"]["two"]["command"] == "x"
    assert values["services"]["two"]["build"] == "sub/img"
    assert all("it is called app" in line for line in left), left


def test_a_file_elsewhere_keeps_its_paths(tmp_path: Path) -> None:
    deploy = tmp_path / "my deploy"
    deploy.mkdir()
    (deploy / "compose.yml").write_text(
        "services: {web: {build: .., volumes: ['..:/srv', './x:/x'], env_file: a.env, "
        "develop: {watch: [{action: restart, "
        "path: ../src}]}}}"
    )
    plan = carry(deploy / "compose.yml", tmp_path, None)
    app = tomllib.loads(plan.text)["app"]
    assert (app["build"], app["mount"], app["mounts"]) == (".", "/srv", ["./my deploy/x:/x"])
    assert app["env_files"] == ["my deploy/a.env"]
    assert app["on_change"][0] == {"files": ["/src", "/src/**"], "action": "restart"}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
WRONG: list[tuple[str, str]] = [
    (BOMB, "says too much"),
    ("services: {web: &w {image: x, build: *w}}", "says too much"),
    ("a: &a {<<: *a}", "says too much"),
    ("[" * 5000, "says too much"),
    ("services:\n\t- x", "not YAML"),
    ("services: {web: {image: x}", "not YAML"),
    ("services: {web: {image: a, image: b}}", "'image' stands twice, on line 1 too"),
    ("a: *nobody", "not YAML"),
    ("--- 1\n--- 2\n", "not YAML"),
    ("just words", "it holds no mapping"),
    ("", "it holds no mapping"),
    ("\x00\x01", "not YAML"),
    ("services: []", "the file has no services"),
    ("services: {web: 3}", "the file has no services"),
    ("x" * 600_000, "larger than 512 KiB"),
    ("services: {a: {extends: b}, b: {extends: {service: a}}}", "extend each other in a circle: a -> b -> a"),
    ("services: {a: {extends: nobody}}", "there is no service 'nobody' to extend"),
    ("services: {a: {extends: {file: no.yaml, service: a}}}", "there is no file no.yaml"),
    ("include: compose.yaml\nservices: {a: {image: x}}", "includes itself"),
    ("include: [gone.yaml]", "there is no file gone.yaml"),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[row[1] + row[0][:20] for row in WRONG])
def test_wrong_and_hostile_files_are_errors_with_a_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "compose.yaml").write_text(text)
    began = time.process_time()
    with pytest.raises(UsageError) as caught:
        carry(tmp_path / "compose.yaml", tmp_path, None)
    assert message in caught.value.message
    assert str(tmp_path) in caught.value.where or "compose.yaml:" in caught.value.where
    assert time.process_time() - began < 30


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_bytes(
        b"\xef\xbb\xbfservices:\r\n  web:\r\n    image: x\r\n    restart: always\r\n"
    )
    (tmp_path / "compose.override.yml").write_text("")
    done = devmount(tmp_path, "init", "--from", "compose.yaml")
    assert done.returncode == 0, done.stderr
    assert "not carried over:\n  compose.yaml:4: services.web.restart: a program that ends" in done.stdout
    assert "compose.override.yml: docker compose lays it over the file" in done.stdout
    assert devmount(tmp_path, "config").returncode == 0
    (tmp_path / "compose.yaml").write_text("services: {web: {image: x, volumes: ['./no:/no']}, db: {image: y}}")
    done = devmount(tmp_path, "init", "--from", "compose.yaml", "--force", "--app", "web", "--json")
    assert "'./no' is not there" in json.loads(done.stdout)["mistakes"][0]
    for arguments, message in (
        (["--from", "gone.yaml"], "there is no file gone.yaml"),
        (["--from", "compose.yaml", "--app", "x"], "there is no service 'x'"),
        (["--from", "compose.yaml", "--with", "redis"], "--from goes without"),
        (["--app", "x"], "--app goes with --from"),
        (["--from", "."], "is not a file"),
    ):
        done = devmount(tmp_path, "init", "--force", *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) <= 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A ${B} ${C:-d} ${E-f} $$G", "${A:-} ${B:-} ${C:-d} ${E:-f} $$G"),
        ("${H:?must} ${I?}", "${H} ${I}"),
        ("5$ a$1 ${", "5$ a$1 ${"),
    ],
)
def test_variables(text: str, expected: str) -> None:
    left: list[str] = []
    assert translate(text, left.append) == expected
    assert left == []


def test_splitting_leaves_variables_whole() -> None:
    assert split("${A:-./b:c}:/d:ro") == ["${A:-./b:c}", "/d", "ro"]
    assert split("a:{b:c}") == ["a", "{b", "c}"]


def check_message(error: DevmountError) -> None:
    assert error.message
    assert "\n" not in error.message


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 70000),
    st.text(max_size=12),
    st.sampled_from([".:/srv", "80:80", "$A", "${"]),
)
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
SERVICE_KEYS = [
    "image",
    "build",
    "command",
    "entrypoint",
    "ports",
    "volumes",
    "tmpfs",
    "env_file",
    "environment",
    "depends_on",
    "healthcheck",
    "user",
    "working_dir",
    "networks",
    "profiles",
    "develop",
    "links",
    "secrets",
    "configs",
    "cap_add",
    "network_mode",
    "stop_signal",
    "stop_grace_period",
    "extends",
]


SERVICES = st.dictionaries(st.sampled_from(SERVICE_KEYS), NESTED, max_size=6)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["web", "db", "A b"]), SERVICES),
       st.dictionaries(st.sampled_from(["volumes", "networks", "secrets", "include", "name"]), NESTED))  # fmt: skip
def test_whatever_the_types_the_outcome_is_a_file_or_an_error(services: dict[str, Any], rest: dict[str, Any]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "compose.json.yaml").write_text(json.dumps({"services": services, **rest}))  # JSON is YAML
        try:
            plan = carry(folder / "compose.json.yaml", folder, None)
        except DevmountError as error:
            check_message(error)
            return
        assert list(PROJECT.check(tomllib.loads(plan.text), ())) == []


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_yaml_or_an_error(text: str) -> None:
    try:
        yaml.parse(text, "file")
    except UsageError as error:
        check_message(error)


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**40), 2**40), st.text(st.characters(exclude_categories=["Cs"]))),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)),
)


@settings(deadline=None)
@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), VALUES),
    st.lists(st.dictionaries(st.just("files"), VALUES)),
)
def test_what_is_written_is_read_again(table: dict[str, Any], rules: list[dict[str, Any]]) -> None:
    table.pop("on_change", None)
    values: dict[str, Any] = {"name": "x", "app": {**table, **({"on_change": rules} if rules else {})}}
    assert tomllib.loads(toml.document(values, ["a", "b"])) == values
