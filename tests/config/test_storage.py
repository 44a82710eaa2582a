"""Shadows, the names of their volumes, and the keys made of lock files."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devmount.config import load, storage
from devmount.config.values import VOLUME_NAME, Wrong

PARTS = st.lists(st.sampled_from(["a", "..", ".", "", ".venv", "node_modules", "später", "~", "-x"]), max_size=5)


@given(PARTS, st.booleans())
def test_a_shadow_lies_below_the_project_or_is_refused(parts: list[str], absolute: bool) -> None:
    text = "/" * absolute + "/".join(parts)
    try:
        path = storage.inside(text, "shadow")
    except Wrong:
        return
    whole = os.path.normpath(os.path.join("/project", text))
    assert whole == f"/project/{path}"
    assert path == os.path.normpath(path)


@given(st.text(min_size=1, max_size=20))
def test_every_folder_makes_a_name_that_an_engine_takes(folder: str) -> None:
    assert VOLUME_NAME.fullmatch(storage.volume_name("app", folder))


CONTENT = st.one_of(st.none(), st.binary(max_size=3))


@given(st.lists(CONTENT, max_size=3), st.lists(CONTENT, max_size=3))
def test_a_key_tells_all_states_of_the_lock_files_apart(
    tmp_path_factory: pytest.TempPathFactory, one: list[bytes | None], other: list[bytes | None]
) -> None:
    def key(contents: list[bytes | None]) -> str:
        root = tmp_path_factory.mktemp("root")
        for number, content in enumerate(contents):
            if content is not None:
                (root / str(number)).write_bytes(content)
        return storage.key(root, [str(number) for number in range(len(contents))])

    assert (key(one) == key(other)) == (one == other)


def test_a_lock_file_that_leads_to_a_device_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    assert storage.key(tmp_path, ["lock"]) == storage.key(tmp_path, ["pipe"]) == storage.key(tmp_path, ["missing"])


def test_a_shadow_is_a_volume_with_a_name_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / ".devmount.toml"
    file.write_text(
        'name = "shop"\n[app]\nimage = "x"\n'
        'shadow = ["./web/target/", { path = "node_modules", keyed_by = ["a.lock", "b.lock"] }]\n'
        '[volumes."app.web.target"]\nlabels = { team = "x" }\n'
    )
    (tmp_path / "a.lock").write_text("1")
    loaded = load(file, profile=None, environ={})
    volumes = loaded.project.volumes
    assert volumes["app.web.target"].engine_name == "shop_app.web.target"
    assert volumes["app.web.target"].labels == {"team": "x"}
    keyed = volumes["app.node_modules"].engine_name
    assert keyed == "shop_app.node_modules." + storage.key(tmp_path, ["a.lock", "b.lock"])
    assert [mount.target for mount in loaded.project.app.all_mounts("/srv")] == ["/srv/web/target", "/srv/node_modules"]
    assert loaded.project.app.all_mounts(None) == ()
    assert loaded.warnings == ("there is no b.lock, by which the shadow node_modules of app is keyed",)
