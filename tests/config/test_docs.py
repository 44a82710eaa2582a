"""What docs/file.md says of env files is what the rows say."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.harness import docker

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "dotenv.json").read_text())
DOCUMENT = Path(__file__).parents[2] / "docs" / "file.md"


def shown(text: str) -> str:
    """A text as the document shows it, in one line."""
    return "`" + text.replace("\n", "⏎").replace("|", "\\|") + "`"


def told(result: dict[str, Any]) -> str:
    if "!error" in result:
        return "an error"
    return ", ".join(shown(f"{name}={value}") for name, value in result.items() if value is not None) or "nothing"


def line(row: dict[str, Any]) -> str:
    given = "".join(f", where {shown(f'{name}={value}')} is set" for name, value in row["env"].items())
    readings = (told(row[reader]) for reader in ("expected", "compose", "docker_run"))
    return f"| {shown(row['text'])}{given} | {' | '.join(readings)} |"


def differing() -> list[dict[str, Any]]:
    shared = [row for row in ROWS if "compose" in row]
    return [row for row in shared if len({told(row[key]) for key in ("expected", "compose", "docker_run")}) > 1]


def test_every_difference_is_in_the_document() -> None:
    lines = DOCUMENT.read_text().splitlines()
    assert [row["id"] for row in differing() if line(row) not in lines] == []


@pytest.mark.engine
def test_docker_run_reads_the_files_as_the_rows_say(tmp_path: Path) -> None:
    """Containers are made and not run: what they would get stands in their description."""
    rows = [row for row in ROWS if "docker_run" in row]
    files = [tmp_path / str(number) for number in range(len(rows))]
    made: dict[str, dict[str, Any]] = {}
    found: list[dict[str, Any]] = []
    try:
        for row, file in zip(rows, files, strict=True):
            file.write_bytes(row["text"].encode())
            done = subprocess.run(
                ["docker", "create", "--env-file", str(file), "debian:bookworm-slim"],
                capture_output=True,
                text=True,
                timeout=60,
                env={**os.environ, **row["env"]},
            )
            made[done.stdout.strip() or f"failed {file}"] = row
        names = [name for name in made if not name.startswith("failed")]
        described = json.loads(docker("inspect", *names))
        image = json.loads(docker("inspect", "debian:bookworm-slim"))[0]["Config"]["Env"] or []
        given = {
            one["Id"]: dict(entry.split("=", 1) for entry in one["Config"]["Env"] or [] if entry not in image)
            for one in described
        }
        found = [given.get(name, {"!error": True}) for name in made]
    finally:
        docker("rm", *(name for name in made if not name.startswith("failed")))
    differing = [
        (row["id"], told(row["docker_run"]), told(one))
        for row, one in zip(made.values(), found, strict=True)
        if sorted(told(row["docker_run"]).split(", ")) != sorted(told(one).split(", "))
    ]
    assert differing == []
