"""What every engine does with named volumes and with archives of files."""

import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from devmount.engine import archive, images
from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import Mount, MountType, Project, Volume
from devmount.volumes import first_use
from tests.engines import IMAGE, Begin, output

pytestmark = pytest.mark.engine

DATA = Mount(MountType.VOLUME, "data", "/data")


@pytest.fixture
def project(project: Project) -> Project:
    """A project with a volume."""
    volume = Volume("data", f"{project.name}_data", labels={"purpose": "a test"})
    return replace(project, volumes={"data": volume})


def test_a_volume_outlives_its_containers(engine: Engine, project: Project, begin: Begin) -> None:
    volume = project.volumes["data"]
    assert engine.volume(volume.engine_name) is None
    engine.ensure_volume(project, volume)
    engine.ensure_volume(project, volume)
    first = begin(
        "echo kept >/data/file; chown 1234:5678 /data/file; chmod 640 /data/file", mounts=(DATA,), user="root"
    )
    assert engine.wait(first.id) == 0
    engine.remove(first.id)
    second = begin("cat /data/file; stat -c '%u:%g %a' /data/file", mounts=(DATA,), user="root")
    assert output(engine, second) == ["kept", "1234:5678 640"]
    described = engine.volume(volume.engine_name)
    assert described is not None
    assert described["Labels"]["purpose"] == "a test"
    assert engine.volumes(project.name) == [volume.engine_name]
    assert engine.volumes("no-such-project") == []


def test_a_volume_in_use_is_not_removed_and_its_users_are_known(engine: Engine, project: Project, begin: Begin) -> None:
    volume = project.volumes["data"]
    engine.ensure_volume(project, volume)
    container = begin("sleep 1000", mounts=(replace(DATA, read_only=True),))
    with pytest.raises(DevmountError) as error:
        engine.remove_volume(volume.engine_name)
    assert "cannot be removed" in error.value.message
    (user,) = archive.users(engine, volume.engine_name)
    assert (user.id, user.name, user.running, user.target, user.read_only) == (
        container.id,
        container.name,
        True,
        "/data",
        True,
    )
    engine.remove(container.id)
    engine.remove_volume(volume.engine_name)
    assert engine.volume(volume.engine_name) is None


@pytest.mark.parametrize("has_chown", [True, False])
def test_a_new_volumes_content_is_given_to_the_hosts_user(
    engine: Engine, project: Project, begin: Begin, monkeypatch: pytest.MonkeyPatch, has_chown: bool, tmp_path: Path
) -> None:
    """Of /etc/cron.daily, a folder that has files in the image; ``has_chown``: False as in an image with no program."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    place = Mount(MountType.VOLUME, "data", "/etc/cron.daily")
    service = replace(project.app, mounts=(place,))
    project = replace(project, services={"app": service})
    image = images.inspect(engine, IMAGE)
    assert image is not None
    if not has_chown:
        monkeypatch.setattr(first_use, "CHOWN", ("no-such-chown",))
    host = specs.Host(4321, 5432, rootless=engine.is_rootless())
    begun: list[str] = []
    for _ in range(2):
        told = first_use.ensure(
            engine, project, [service], {"app": image}, host, lambda holder: None, lambda _, step: begun.append(step)
        )
        assert told == []
    assert len(begun) == (0 if host.rootless else 1)
    script = "cd /etc/cron.daily && stat -c '%u:%g %a' . dpkg; ls"
    said = output(engine, begin(script, mounts=(place,), host=host))
    owner = "0:0" if host.rootless else "4321:5432"
    assert said == [f"{owner} 755", f"{owner} 755", *sorted(said[2:])]
    assert "dpkg" in said[2:]


def test_sizes_are_told_to_several_at_once(engine: Engine, project: Project) -> None:
    engine.ensure_volume(project, project.volumes["data"])
    with ThreadPoolExecutor(4) as pool:
        for sizes in pool.map(lambda _: archive.sizes(engine), range(8)):
            assert sizes[project.volumes["data"].engine_name] == 0


def test_an_external_volume_must_be_there(engine: Engine, project: Project) -> None:
    with pytest.raises(DevmountError) as error:
        engine.ensure_volume(project, replace(project.volumes["data"], external=True))
    assert "does not exist" in error.value.message


def test_a_volume_whose_options_differ_is_left_alone(engine: Engine, project: Project) -> None:
    volume = project.volumes["data"]
    engine.ensure_volume(project, volume)
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    with pytest.raises(DevmountError) as error:
        engine.ensure_volume(project, replace(volume, options=options))
    assert "exists with other options than the file says: type, device, o" in error.value.message


def test_files_go_in_and_come_out_with_owner_mode_and_links(engine: Engine, begin: Begin) -> None:
    container = begin("sleep 1000")
    sent = io.BytesIO()
    with tarfile.open(fileobj=sent, mode="w") as tar:
        for name, kind, mode in (("sub", tarfile.DIRTYPE, 0o750), ("sub/file", tarfile.REGTYPE, 0o640)):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid, member.gid = kind, mode, 1234, 5678
            content = b"x" * 3_000_000 if kind == tarfile.REGTYPE else b""
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("sub/link")
        link.type, link.linkname = tarfile.SYMTYPE, "file"
        tar.addfile(link)
    archive.upload(engine, container.id, "/srv", iter([sent.getvalue()]))
    code, said = engine.exec_output(container.id, ["stat", "-c", "%n %u:%g %a %s", "/srv/sub", "/srv/sub/file"], "0")
    assert code == 0
    assert said.decode().splitlines()[1] == "/srv/sub/file 1234:5678 640 3000000"
    assert said.decode().splitlines()[0].startswith("/srv/sub 1234:5678 750")
    with archive.download(engine, container.id, "/srv/sub") as body, tarfile.open(fileobj=body, mode="r|") as tar:
        members = {member.name.rstrip("/"): member for member in tar}
    # Podman gives everything it sends to the container's own user (root in this image).
    owner = (0, 0) if engine.is_podman() else (1234, 5678)
    assert {name: (m.uid, m.gid, m.mode & 0o777) for name, m in members.items() if not m.issym()} == {
        "sub": (*owner, 0o750),
        "sub/file": (*owner, 0o640),
    }
    assert members["sub/link"].linkname == "file"
    assert members["sub/file"].size == 3_000_000


def test_a_path_that_is_not_there_cannot_be_downloaded(engine: Engine, begin: Begin) -> None:
    container = begin("sleep 1000")
    with pytest.raises(DevmountError) as error, archive.download(engine, container.id, "/no/such/path"):
        pass
    assert "cannot be read" in error.value.message
