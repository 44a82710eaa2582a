"""Go and Rust; pure."""

import re
from collections.abc import Iterator

from devmount.init.folder import Folder, table
from devmount.init.parts import Filled

GO_PORT = r"(?:ListenAndServe|Listen|Run|Start|Addr:)\W[^\n]*?\"[\w.]*:(\d{2,5})\""
UNSURE = " (a guess: change ports and ready where it listens elsewhere)"


def kinds(folder: Folder) -> Iterator[tuple[str, str]]:
    """The templates that fit, and why."""
    if folder.has("go.mod"):
        yield "go", "there is go.mod"
    if folder.has("Cargo.toml"):
        yield "rust", "there is Cargo.toml"


def go(folder: Folder) -> Filled:
    filled = Filled()
    programs = [path.rpartition("/")[0] for path, _ in folder.search(r"^package main\b", (".go",))]
    package = "." if not programs or "" in programs else "./" + programs[0]
    if re.fullmatch(r"[\w./-]+", package):
        filled.slots["package"] = package
    version = re.search(r"^go (\d+\.\d+)", folder.text("go.mod"), re.MULTILINE)
    if version:
        filled.slots["version"] = version[1]
        filled.said.append(f"Go {version[1]}, as go.mod says")
    found = next(iter(folder.search(GO_PORT, (".go",))), None)
    port = found[1][1] if found else "8080"
    filled.slots["port"] = port
    filled.said.append(f"it answers at http://127.0.0.1:{port}" + (f", as {found[0]} says" if found else UNSURE))
    if package != ".":
        filled.said.append(f"the program is {package}" + (", the first of several" if len(set(programs)) > 1 else ""))
    return filled


def rust(folder: Folder) -> Filled:
    filled = Filled()
    manifest = folder.toml("Cargo.toml")
    binaries = manifest.get("bin")
    named = [entry.get("name") for entry in binaries if isinstance(entry, dict)] if isinstance(binaries, list) else []
    name = next((one for one in [*named, table(manifest, "package").get("name")] if isinstance(one, str)), None)
    if name and re.fullmatch(r"[\w-]+", name):
        filled.slots["binary"] = name
    else:
        filled.said.append("Cargo.toml names no program: command names app; change it")
    filled.said.append(f"it answers at http://127.0.0.1:8080{UNSURE}")
    return filled
