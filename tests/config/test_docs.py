"""What docs/file.md says of env files is what the rows say."""

import json
from pathlib import Path
from typing import Any

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
