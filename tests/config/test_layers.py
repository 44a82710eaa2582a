"""What is laid over what, and that each value knows where it came from."""

import io
import json
import re
from pathlib import Path

import pytest

from devmount.config import Loaded, load
from devmount.config.describe import MASK, describe
from devmount.errors import UsageError
from devmount.model import Port
from devmount.ui.errors import print_error
from tests.harness import devmount

FILE = """
[app]
image = "one"
ports = [8000, 8001]
environment = { A = "file", B = "file" }

[services.my-db]
image = "postgres:16"

[profiles.ci]
watch.poll = true

[profiles.ci.app]
environment = { C = "profile" }
ports = [9000]
"""
LOCAL = """
[app]
environment = { B = "local", D = "local" }

[profiles.ci.app]
environment = { C = "local profile" }
"""


def loaded(
    folder: Path, file: str = FILE, local: str | None = LOCAL, *, profile: str | None = None, **environ: str
) -> Loaded:
    (folder / ".devmount.toml").write_text(file)
    if local is not None:
        (folder / ".devmount.local.toml").write_text(local)
    return load(folder / ".devmount.toml", profile=profile, environ=environ)


def complaint(folder: Path, file: str = FILE, **environ: str) -> str:
    with pytest.raises(UsageError) as caught:
        loaded(folder, file, None, **environ)
    stream = io.StringIO()
    print_error(caught.value, stream)
    return stream.getvalue()


def test_tables_merge_and_lists_replace(tmp_path: Path) -> None:
    made = loaded(tmp_path, local='[app]\nports = [1]\nenvironment = { B = "local" }\n')
    assert made.project.app.environment == {"A": "file", "B": "local"}
    assert [port.container for port in made.project.app.ports] == [1]
    assert made.project.app.image == "one"


def test_a_profile_lies_over_both_files_and_the_local_files_over_the_shared_one(tmp_path: Path) -> None:
    made = loaded(tmp_path, profile="ci")
    assert made.project.app.environment == {"A": "file", "B": "local", "C": "local profile", "D": "local"}
    assert made.project.app.ports == (Port(9000, 9000),)
    assert made.project.watch.poll == 1.0
    assert loaded(tmp_path).project.watch.poll is None


def test_image_and_build_take_each_others_place(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    made = loaded(tmp_path, local='[app]\nbuild = "."\n')
    assert made.project.app.image is None
    assert made.project.app.build is not None
    assert "app.image" not in made.origins


def test_variables_lie_over_everything(tmp_path: Path) -> None:
    made = loaded(
        tmp_path,
        profile="ci",
        DEVMOUNT_APP__IMAGE="two",
        DEVMOUNT_APP__PORTS='["0:70"]',
        DEVMOUNT_APP__STOP_TIMEOUT="5s",
        DEVMOUNT_APP__ENVIRONMENT__A="1.10",
        DEVMOUNT_APP__ENVIRONMENT__Under__Score="x",
        DEVMOUNT_APP__TTY="true",
        DEVMOUNT_APP__COMMAND="python -m shop",
        DEVMOUNT_SERVICES__MY_DB__IMAGE="postgres:17",
        DEVMOUNT_SERVICES__CACHE__IMAGE="redis:7",
        DEVMOUNT_WATCH__POLL="500ms",
        DEVMOUNT_NAME="other",
        DEVMOUNT_PROFILE="nobody's business here",
        DEVMOUNT_TEST_ENGINES="a b",
    )
    project = made.project
    assert project.name == "other"
    assert (project.app.image, project.app.stop_timeout, project.app.tty) == ("two", 5.0, True)
    assert project.app.command == ("python", "-m", "shop")
    assert project.app.ports == (Port(70, 0),)
    assert project.app.environment["A"] == "1.10"
    assert project.app.environment["Under__Score"] == "x"
    assert {name: service.image for name, service in project.services.items()} == {
        "app": "two",
        "my-db": "postgres:17",
        "cache": "redis:7",
    }
    assert project.watch.poll == 0.5


@pytest.mark.parametrize(
    ("variable", "value", "key", "expected"),
    [
        ("DEVMOUNT_APP__COMMAND", '["a", "b c"]', "command", ("a", "b c")),
        ("DEVMOUNT_APP__COMMAND", "true", "command", ("true",)),
        ("DEVMOUNT_APP__COMMAND", "5", "command", ("5",)),
        ("DEVMOUNT_APP__ENVIRONMENT", '{ X = "1" }', "environment", {"A": "file", "B": "file", "X": "1"}),
        ("DEVMOUNT_APP__IMAGE", "[x]", "image", "[x]"),
        ("DEVMOUNT_APP__USER", "1000", "user", "1000"),
    ],
)
def test_a_variable_is_text_where_the_key_takes_text_and_toml_elsewhere(
    tmp_path: Path, variable: str, value: str, key: str, expected: object
) -> None:
    assert getattr(loaded(tmp_path, local=None, **{variable: value}).project.app, key) == expected


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    assert complaint(tmp_path, DEVMOUNT_APP__IMGE="x") == (
        "error: unknown key 'imge' in [app]\n  DEVMOUNT_APP__IMGE in the environment\n  did you mean 'image'?\n"
    )
    assert complaint(tmp_path, DEVMOUNT_APP__PORTS="8000") == (
        "error: ports must be a list of ports, not a number\n"
        "  DEVMOUNT_APP__PORTS in the environment\n"
        "  write, for example, ports = [8000]\n"
    )
    assert complaint(tmp_path, DEVMOUNT_APP__STOP_TIMEOUT="soon") == (
        "error: 'soon' is not a duration\n"
        "  DEVMOUNT_APP__STOP_TIMEOUT in the environment\n"
        '  write a number with ms, s, m or h: "500ms", "3s"\n'
    )
    assert complaint(tmp_path, DEVMOUNT_APP__TTY="yes\n[watch]") == (
        "error: tty must be true or false, not a string\n"
        "  DEVMOUNT_APP__TTY in the environment\n"
        "  write, for example, tty = true\n"
    )
    assert complaint(tmp_path, DEVMOUNT_AP__IMAGE="x") == (
        "error: unknown key 'ap'\n  DEVMOUNT_AP__IMAGE in the environment\n  did you mean 'app'?\n"
    )


def test_every_value_knows_its_place(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".env").write_text("# first\nFROM_FILE=1\nA=env file\n")
    made = loaded(
        tmp_path,
        FILE.replace("[app]", '[app]\nenv_files = ["sub/.env"]'),
        profile="ci",
        DEVMOUNT_APP__IMAGE="two",
    )
    assert made.origins["app.image"] == "DEVMOUNT_APP__IMAGE"
    assert made.origins["app.ports"] == ".devmount.toml:16"
    assert made.origins["app.environment.A"] == ".devmount.toml:6"
    assert made.origins["app.environment.B"] == ".devmount.local.toml:3"
    assert made.origins["app.environment.C"] == ".devmount.local.toml:6"
    assert made.origins["app.environment.FROM_FILE"] == "sub/.env:2"
    assert made.origins["services.my-db.image"] == ".devmount.toml:9"
    assert made.project.app.environment["A"] == "file"


def test_what_came_from_env_files_and_variables_is_masked(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEY=hunter2\n")
    file = (
        '[app]\nimage = "x:${TAG}"\ncommand = "run ${TOKEN}"\nenv_files = [".env"]\nenvironment = { A = "${TOKEN}" }\n'
    )
    made = loaded(tmp_path, file, None, TOKEN="t0ken", TAG="9", DEVMOUNT_APP__ENVIRONMENT__B="sesame")
    shown = describe(made, show_secrets=False)["app"]
    assert shown["environment"] == {"A": MASK, "B": MASK, "KEY": MASK}
    assert shown["command"] == [MASK, MASK]
    assert describe(made, show_secrets=True)["app"]["environment"] == {"A": "t0ken", "B": "sesame", "KEY": "hunter2"}


def test_a_line_that_is_no_assignment_is_skipped_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A: b\nC=d\n")
    made = loaded(tmp_path, '[app]\nimage = "x"\nenv_files = [".env"]\n', None)
    assert made.project.app.environment == {"C": "d"}
    assert made.warnings == (f"{tmp_path}/.env:1 is no assignment and is skipped",)


def test_the_environment_wins_over_dotenv_and_a_default_comes_last(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TAG=file\nONLY=file\n")
    file = '[app]\nimage = "${TAG}-${ONLY}-${NONE:-default}"\n'
    assert loaded(tmp_path, file, None, TAG="caller").project.app.image == "caller-file-default"
    assert loaded(tmp_path, file, None, TAG="caller").taken == {"TAG"}


def test_a_message_shows_the_variable_and_not_its_value(tmp_path: Path) -> None:
    secret = "s3cret-value"
    file = """
[app]
image = "x"
ports = ["${TOKEN}", "8000:80/${TOKEN}"]
stop_timeout = "${TOKEN}"
user = "${TOKEN} x"
stop_signal = "${TOKEN}"
mount = "${TOKEN}"
mounts = ["./${TOKEN}:/a", "a:b:${TOKEN}"]
ready = { http = "${TOKEN}", log = "(${TOKEN}" }
depends_on = ["${TOKEN}"]
env_files = ["${TOKEN}"]
"""
    text = complaint(tmp_path, file, TOKEN=secret)
    assert text.count("error: ") == 14
    assert "'${TOKEN}' is not a duration" in text
    assert secret not in text
    assert "secret-value:x" not in complaint(tmp_path, file, TOKEN="ab:cd/secret-value:x")


def test_config_shows_where_each_value_came_from_and_what_nobody_wrote_as_a_default(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    (tmp_path / "img" / "Dockerfile").write_text("FROM x\n")
    (tmp_path / ".env").write_text("TOKEN=hunter2\n")
    (tmp_path / ".devmount.toml").write_text(
        """[app]
build = "img"
env_files = [".env"]
ready = { port = 1 }
[services.db]
build = { context = "img", args = { A = "b" } }
[[services.db.on_change]]
files = ["x"]
[volumes.v]
external = false
[watch]
ignore = ["y"]
"""
    )
    done = devmount(tmp_path, "config", env={"DEVMOUNT_SERVICES__DB__STOP_TIMEOUT": "7s"})
    assert done.returncode == 0, done.stderr
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["KEY", "VALUE", "FROM"]
    shown = {line.split()[0]: re.split(r"  +", line)[-1] for line in lines}
    assert {key: place for key, place in shown.items() if place != "default"} == {
        "app.build.context": ".devmount.toml:2",
        "app.env_files": ".devmount.toml:3",
        "app.environment.TOKEN": ".env:1",
        "app.ready.port": ".devmount.toml:4",
        "services.db.build.context": ".devmount.toml:6",
        "services.db.build.args.A": ".devmount.toml:6",
        "services.db.on_change": ".devmount.toml:7",
        "services.db.stop_timeout": "DEVMOUNT_SERVICES__DB__STOP_TIMEOUT",
        "volumes.v.external": ".devmount.toml:10",
        "watch.ignore": ".devmount.toml:12",
    }
    assert {"app.build.dockerfile", "app.ready.timeout", "app.user", "volumes.v.driver", "watch.poll"} <= set(shown)
    assert "hunter2" not in done.stdout


def test_whatever_of_a_variable_goes_to_a_program_is_masked(tmp_path: Path) -> None:
    file = """
[app]
image = "x"
ready = { http = "/?key=${TOKEN}" }
ports = ["${PORT}:1"]
mounts = ["v:/v"]
[[app.on_change]]
files = ["x"]
run = "log in ${TOKEN}"
[services.db]
image = "x:${TAG}"
ready = { command = ["sign", "${TOKEN}"] }
[services.other]
image = "x"
ready = { log = "${TOKEN}" }
[volumes.v]
options = { type = "cifs", device = "//host/share", o = "password=${TOKEN}" }
labels = { token = "${TOKEN}", plain = "p" }
"""
    made = loaded(tmp_path, file, None, TOKEN="s3cret", TAG="9", PORT="8000")
    shown = describe(made, show_secrets=False)
    assert "s3cret" not in json.dumps(shown)
    assert shown["app"]["ports"] == ["127.0.0.1:8000:1/tcp"]
    assert shown["services"]["db"]["image"] == "x:9"
    assert shown["services"]["db"]["ready"]["command"] == ["sign", MASK]
    assert shown["volumes"]["v"]["labels"] == {"token": MASK, "plain": "p"}
    assert json.dumps(describe(made, show_secrets=True)).count("s3cret") == 6


def test_a_mount_may_ask_for_an_selinux_label(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / ".devmount.toml"
    file.write_text('[app]\nimage = "x"\nmount = "/srv:z"\nmounts = ["./data:/data:ro,z", "./data:/other"]\n')
    app = load(file, profile=None, environ={}).project.app
    assert (app.mount, app.relabel) == ("/srv", True)
    assert [(one.target, one.read_only, one.relabel) for one in app.mounts] == [
        ("/data", True, True),
        ("/other", False, False),
    ]
