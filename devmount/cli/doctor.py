"""The command that says what stands in the way: doctor."""

import json as jsonlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from devmount.cli.context import Context
from devmount.cli.parameters import Json
from devmount.errors import EXIT_FAILED

if TYPE_CHECKING:
    from devmount.doctor import Finding

COLORS = {"ok": "32", "warning": "33", "error": "31"}


def doctor(context: typer.Context, json: Json = False) -> int:
    """Check the engine, the limits, ports, paths and the file, and say how to mend what is wrong.

    The exit code is 1 when something stops up.

    Example: devmount doctor --json
    """
    from devmount.doctor import Level, findings, gather
    from devmount.ui.ask import can_ask

    given: Context = context.obj
    facts = gather(
        given.folder,
        lambda: given.project_file,
        given.profile,
        lambda: given.engine,
        os.environ,
        engine_url=given.engine_url,
        can_ask=can_ask(),
    )
    found = findings(facts)
    is_well = all(finding.level is not Level.ERROR for finding in found)
    if json:
        rows = [finding.to_json() for finding in found]
        typer.echo(jsonlib.dumps({"ok": is_well, "findings": rows}, indent=2))
    else:
        typer.echo(_text(found, color=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
    return 0 if is_well else EXIT_FAILED


def _text(found: "Sequence[Finding]", *, color: bool) -> str:
    """A finding a line, its place and its mend below it; then the sum."""
    from devmount.ui.errors import printable

    width = max(len(finding.check) for finding in found)
    lines = []
    for finding in found:
        level = f"{finding.level:<7}"
        mark = f"\x1b[{COLORS[finding.level]}m{level}\x1b[0m" if color else level
        lines.append(f"{mark}  {finding.check:<{width}}  {printable(finding.message)}")
        indent = " " * (width + 11)
        for text in (finding.where, finding.mend and f"mend: {finding.mend}"):
            lines += [indent + line for line in printable(text).splitlines()]
    count = {level: sum(finding.level == level for finding in found) for level in COLORS}
    warnings = f"{count['warning']} warning" + ("" if count["warning"] == 1 else "s")
    errors = f"{count['error']} error" + ("" if count["error"] == 1 else "s")
    lines.append(f"{errors}, {warnings}: devmount up " + ("cannot work yet" if count["error"] else "can work"))
    return "\n".join(lines)
