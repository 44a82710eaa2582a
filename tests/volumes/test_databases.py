"""Databases, built from Debian's packages: their rows outlive containers, and a backup made under load is sound."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import REPOSITORY, devmount, docker, wait_until
from tests.volumes.conftest import Box

# The first build of an image downloads its packages.
pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

BUILD_SECONDS = 800
ROWS = 300  # committed under load, at least, before the backup


@dataclass(frozen=True, slots=True)
class Database:
    """A server, and how its own programs are used.

    ``table``: makes a table. ``add``: adds one row, as a line for ``client``. ``count``: tells how many rows there are.
    ``checks``: the server's own checks of what is on the disk.
    """

    name: str
    image: Path  # the folder with the Dockerfile
    data: str
    ready: str
    client: str
    table: str
    add: str
    count: str
    checks: tuple[tuple[str, str], ...]  # a shell command and what its output ends with


DATABASES = [
    Database(
        name="postgres",
        image=REPOSITORY / "examples" / "postgres" / "db",
        data="/var/lib/postgresql/data",
        ready="pg_isready",
        client="psql -qtA",
        table="CREATE TABLE row (id serial PRIMARY KEY, text text UNIQUE);",
        add="INSERT INTO row (text) VALUES (gen_random_uuid());",
        count="SELECT count(*) FROM row;",
        checks=(
            ("pg_amcheck --all --install-missing --heapallindexed --parent-check && echo sound", "sound"),
            ("psql -qtAc 'SELECT count(*) = count(DISTINCT text) FROM row'", "t"),
        ),
    ),
    Database(
        name="mariadb",
        image=REPOSITORY / "tests" / "volumes" / "mariadb",
        data="/var/lib/mysql",
        ready="mariadb -u root -e 'SELECT 1'",
        client="mariadb -u root -N",
        table="CREATE DATABASE d; CREATE TABLE d.row (id serial PRIMARY KEY, text varchar(40) UNIQUE) ENGINE=InnoDB;",
        add="INSERT INTO d.row (text) VALUES (uuid());",
        count="SELECT count(*) FROM d.row;",
        checks=(("mariadb -u root -N -e 'CHECK TABLE d.row EXTENDED'", "status\tOK"),),
    ),
    Database(
        name="redis",
        image=REPOSITORY / "examples" / "flask-redis" / "redis",
        data="/data",
        ready="redis-cli ping",
        client="redis-cli",
        table="DEL row",
        add="RPUSH row text",
        count="LLEN row",
        checks=(
            ("redis-check-rdb /data/appendonlydir/*.base.rdb && echo sound", "sound"),
            ("redis-check-aof /data/appendonlydir/*.manifest | tail -1", "All AOF files and manifest are valid"),
            ("redis-cli SAVE && redis-check-rdb /data/dump.rdb >/dev/null && echo sound", "sound"),
        ),
    ),
]


class Server:
    """A database as a companion of a project, in a container of its own."""

    def __init__(self, box: Box, database: Database) -> None:
        self.box = box
        self.database = database
        self.container = f"{box.name}-db"
        shutil.copytree(database.image, box.folder / "db")
        box.write(
            '[app]\nimage = "debian:bookworm-slim"\ncommand = "sleep 1000"\n'
            f'[services.db]\nbuild = "db"\nmounts = ["data:{database.data}"]\nstop_timeout = "20s"\n'
            f'ready = {{ command = ["sh", "-c", "{database.ready}"] }}\n[volumes.data]\nexclusive = true\n'
        )

    def up(self) -> None:
        """Started, and ready."""
        done = devmount(self.box.folder, "up", "--detach", "db", env=self.box.env, timeout=BUILD_SECONDS)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr

    def down(self) -> None:
        done = devmount(self.box.folder, "down", env=self.box.env, timeout=120)
        assert done.returncode == 0, done.stderr

    def shell(self, command: str) -> str:
        return docker("exec", self.container, "sh", "-c", command, timeout=120)

    def say(self, line: str) -> str:
        """One line to the server's own client; its answer."""
        done = subprocess.run(
            ["docker", "exec", "--interactive", self.container, "sh", "-c", self.database.client],
            input=line + "\n",
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def count(self) -> int:
        return int(self.say(self.database.count))

    def load(self) -> None:
        """A client that adds rows, one after the other, as long as the server runs."""
        endless = f'yes "{self.database.add}" | {self.database.client} >/dev/null'
        docker("exec", "--detach", self.container, "sh", "-c", endless)


@pytest.mark.parametrize("database", DATABASES, ids=lambda database: database.name)
def test_rows_outlive_containers_and_a_backup_under_load_is_sound(box: Callable[..., Box], database: Database) -> None:
    server = Server(box(), database)
    server.up()
    server.say(database.table)
    for _ in range(3):
        server.say(database.add)
    server.down()
    server.up()
    assert server.count() == 3

    server.load()
    wait_until(lambda: server.count() >= ROWS, 120, lambda: f"only {server.count()} rows")
    committed = server.count()
    told = server.box.do("backup", "data", timeout=300)
    assert "users paused" in told
    assert server.count() >= committed  # it goes on
    server.down()
    server.box.do("rm", "data", "--yes")
    assert server.box.volumes() == []
    server.box.do("restore", "data", timeout=300)

    server.up()
    assert server.count() >= committed
    for command, sound in database.checks:
        assert server.shell(command).endswith(sound), command
    server.say(database.add)
    server.down()
    assert server.box.helpers() == []
