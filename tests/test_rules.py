"""What a batch comes to for each service."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devmount.events import FileChange, Kind
from devmount.model import Action, Build, Mount, MountType, Rule, Service
from devmount.rules import DOCKERFILE, ENV_FILE, Plan, Step, plan
from devmount.settle import Batch

ROOT = Path("/project")
INSTALL = ("pip", "install", "-r", "requirements.txt")


def app(*rules: Rule, **more: object) -> Service:
    return Service("app", mount="", on_change=rules, **more)  # type: ignore[arg-type]


def planned(paths: list[str], *services: Service, failed: tuple[str, ...] = ()) -> Plan:
    batch = Batch(tuple(FileChange(path, Kind.MODIFIED, 0.0) for path in paths), 0.0)
    return plan(batch, services, root=ROOT, project_files={".devmount.toml"}, failed=failed)


def step(paths: list[str], *rules: Rule, failed: tuple[str, ...] = ()) -> Step:
    """The app's, which must be the only one."""
    (only,) = planned(paths, app(*rules), failed=failed).steps
    return only


def test_without_a_rule_a_change_restarts_what_has_the_folder() -> None:
    made = planned(["a.py", "b.py"], app(), Service("db"), Service("docs", mount="/docs"))
    assert made == Plan(
        (Step("app", Action.RESTART, ("a.py", "b.py")), Step("docs", Action.RESTART, ("a.py", "b.py"))), False
    )


def test_the_first_rule_that_matches_decides_and_the_others_are_not_asked() -> None:
    rules = (
        Rule(("*.html", "!index.html"), Action.NONE),
        Rule(("index.html",), Action.TOUCH),
        Rule(("*.html",), Action.REBUILD),
    )
    assert planned(["a.html"], app(*rules)).steps == ()
    assert step(["index.html"], *rules).action is Action.TOUCH


@given(st.lists(st.sampled_from(list(Action)), min_size=1, max_size=6))
def test_of_several_actions_the_strongest_wins_whatever_the_order(actions: list[Action]) -> None:
    rules = [
        Rule((f"{place}.txt",), action, signal="SIGHUP" if action is Action.SIGNAL else None)
        for place, action in enumerate(actions)
    ]
    made = planned([f"{place}.txt" for place in range(len(actions))], app(*rules))
    strongest = max(actions, key=lambda action: action.strength)
    if strongest is Action.NONE:
        assert made.steps == ()
    else:
        (only,) = made.steps
        assert only.action is strongest
        assert only.signals == (("SIGHUP",) if strongest is Action.SIGNAL else ())
        assert only.rule == f"{actions.index(strongest)}.txt"


def test_a_command_runs_once_a_batch_whatever_the_action_is() -> None:
    rules = (
        Rule(("requirements*.txt",), Action.RESTART, run=INSTALL),
        Rule(("*.proto",), Action.NONE, run=("make", "proto"), run_user="root"),
    )
    made = step(["requirements.txt", "requirements-dev.txt", "a.proto"], *rules)
    assert made.run == ((INSTALL, None), (("make", "proto"), "root"))
    assert made.action is Action.RESTART
    only = step(["a.proto"], *rules)
    assert (only.action, only.rule, only.files) == (Action.NONE, "*.proto", ("a.proto",))


def test_signals_are_sent_once_each_in_the_order_of_the_changes() -> None:
    rules = (
        Rule(("a",), Action.SIGNAL, signal="SIGUSR1"),
        Rule(("b",), Action.SIGNAL, signal="SIGHUP"),
    )
    assert step(["b", "a", "b"], *rules).signals == ("SIGHUP", "SIGUSR1")
    assert step(["b", "c"], *rules).signals == ()  # a restart makes them pointless


def test_an_env_file_recreates_the_services_that_have_it() -> None:
    service = app(env_files=(ROOT / ".env", ROOT.parent / "shared.env"))
    for path in (".env", "../shared.env"):
        made = planned([path], service, Service("other", mount=""))
        assert made.reread
        assert made.steps[0] == Step("app", Action.RECREATE, (path,), ENV_FILE)


def test_the_project_file_is_read_again_and_restarts_nothing() -> None:
    assert planned([".devmount.toml"], app()) == Plan((), True)


def test_the_dockerfile_rebuilds_unless_a_rule_speaks_of_it() -> None:
    build = Build(ROOT / "docker")
    assert planned(["docker/Dockerfile"], app(build=build)).steps[0] == Step(
        "app", Action.REBUILD, ("docker/Dockerfile",), DOCKERFILE
    )
    quiet = Rule(("Dockerfile",), Action.NONE)
    assert planned(["docker/Dockerfile"], app(quiet, build=build)).steps == ()


@pytest.mark.parametrize("action", [Action.NONE, Action.TOUCH, Action.SIGNAL])
def test_a_program_that_has_died_is_started_by_any_change(action: Action) -> None:
    rule = Rule(("*",), action, signal="SIGHUP" if action is Action.SIGNAL else None)
    made = step(["a"], rule, failed=("app",))
    assert (made.action, made.files, made.signals) == (Action.RESTART, ("a",), ())


def test_a_stronger_action_is_kept_for_a_program_that_has_died() -> None:
    assert step(["a"], Rule(("a",), Action.REBUILD), failed=("app",)).action is Action.REBUILD


def test_a_folder_matches_patterns_for_folders_and_what_is_below_them() -> None:
    rule = Rule(("templates/",), Action.NONE)
    assert planned(["templates/a.html", "deep/templates/b/c.html"], app(rule)).steps == ()
    assert step(["templates"], rule).action is Action.RESTART  # a file of that name


def test_a_project_folder_that_was_made_again_replaces_what_mounts_it() -> None:
    """Whatever the rules say of files: a mount holds the folder that was."""
    every = Rule(("*",), Action.NONE)
    config = Service("web", mounts=(Mount(MountType.BIND, "/project/web.conf", "/etc/web.conf"),))
    batch = Batch((FileChange(".", Kind.CREATED, 0.0, is_dir=True),), 0.0)
    made = plan(batch, [app(every), config, Service("db")], root=ROOT, project_files=())
    assert made.reread
    assert [(step.service, step.action) for step in made.steps] == [
        ("app", Action.RECREATE),
        ("web", Action.RECREATE),
    ]


def test_a_doubt_about_the_project_folder_restarts() -> None:
    """Something in it is gone, and after an overflow of the kernel's queue nobody knows what."""
    batch = Batch((FileChange(".", Kind.MODIFIED, 0.0, is_dir=True),), 0.0)
    (only,) = plan(batch, [app(), Service("db")], root=ROOT, project_files=()).steps
    assert (only.service, only.action) == ("app", Action.RESTART)
