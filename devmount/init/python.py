"""Python projects; pure."""

import re
import shlex
from collections.abc import Iterator

from devmount.init.folder import Folder, table
from devmount.init.parts import Filled, command, debug_profile, is_version, once, rule

FRAMEWORKS = ("django", "fastapi", "flask")
DEBUG_PORT = 5678
FLASK_NAMES = ("app", "application", "create_app", "make_app")  # that flask finds by itself
MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*\.py")


def frameworks(folder: Folder) -> Iterator[tuple[str, str]]:
    """The templates of web frameworks that fit, and why."""
    if folder.has("manage.py") and "django" in folder.text("manage.py").lower():
        yield "django", "there is Django's manage.py"
    for name in FRAMEWORKS:
        source = _asks_for(folder, name)
        if source and not (name == "django" and not folder.has("manage.py")):
            yield name, f"{source} asks for {name}"
    for name, pattern in (("fastapi", r"^from fastapi import"), ("flask", r"^from flask import")):
        for path, _ in folder.search(pattern, (".py",)):
            yield name, f"{path} imports {name}"
            break


def others(folder: Folder) -> Iterator[tuple[str, str]]:
    """The plain template, for what is Python and none of the others."""
    for name in ("requirements.txt", "pyproject.toml"):
        if folder.has(name):
            yield "python", f"there is {name}"
            return
    programs = [path for path in folder.texts if path.endswith(".py") and "/" not in path]
    if programs:
        yield "python", f"there is {sorted(programs)[0]}"


def plain(folder: Folder) -> Filled:
    return _filled(folder, *_program(folder))


def flask(folder: Folder) -> Filled:
    found = _object(folder, r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:flask\.)?Flask\(")
    factory = _object(folder, r"^def (create_app|make_app)\(")
    named = found or factory
    run = "flask run --host 0.0.0.0 --port 8000"
    if named and not (named[0] in ("app.py", "wsgi.py") and named[1] in FLASK_NAMES):
        target = _module(named[0]) + ("" if named[1] in FLASK_NAMES else f":{named[1]}")
        run = f"flask --app {target} run --host 0.0.0.0 --port 8000"
    return _filled(folder, run, "" if named else "app.py is taken for the program", package="flask", port=8000)


def django(folder: Folder) -> Filled:
    path = next((path for path, _ in folder.search("django", ("manage.py",))), "manage.py")
    filled = _filled(
        folder, f"{shlex.quote(path)} runserver --noreload 0.0.0.0:8000", "", package="django", port=8000, is_file=True
    )
    filled.said.append("ALLOWED_HOSTS: Django takes requests to 127.0.0.1 with DEBUG = True")
    return filled


def fastapi(folder: Folder) -> Filled:
    found = _object(folder, r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:fastapi\.)?FastAPI\(")
    target = ":".join((_module(found[0]), found[1])) if found else "main:app"
    note = "" if found else "main:app is taken for the program"
    run = f"uvicorn {target} --host 0.0.0.0 --port 8000"
    return _filled(folder, run, note, package="fastapi uvicorn", port=8000)


def _program(folder: Folder) -> tuple[str, str]:
    """What follows ``python -m``, or the file after ``python``; and what to say of it."""
    for name in ("main.py", "app.py", "server.py", "run.py"):
        if folder.has(name):
            return name, ""
    packages = [path for path in sorted(folder.texts) if path.endswith("/__main__.py") and MODULE.fullmatch(path)]
    if packages:
        return _module(packages[0].removesuffix("/__main__.py") + ".py"), ""
    programs = [path for path, _ in folder.search(r"^if __name__ ==", (".py",))]
    if programs:
        return programs[0], f"{programs[0]} is taken for the program"
    return "main.py", "nothing tells which file is the program: command names main.py; change it"


def _filled(
    folder: Folder, run: str, note: str, *, package: str = "", port: int | None = None, is_file: bool | None = None
) -> Filled:
    filled = Filled(said=[note] if note else [])
    is_file = run.endswith(".py") if is_file is None else is_file
    what = (shlex.quote(run) if run.endswith(".py") else run) if is_file else f"-m {run}"
    install, files = _install(folder, package)
    start = once(install, files) if install else []
    filled.slots["command"] = command(*start, f"python {what}")
    if install and files:
        filled.slots["install_rule"] = rule(files, "packages: installed, then the program starts again", run=install)
        filled.said.append(f"packages come from {files[0]}, with pip, when the container is new")
    elif install:
        filled.said.append("no file says which packages it needs: the framework alone is installed")
    filled.slots["debug"] = _debug(start, what, port)
    version = folder.text(".python-version").strip()
    parts = version.split(".")
    if is_version(version) and parts[0] == "3" and len(parts) > 1:
        filled.slots["version"] = ".".join(parts[:2])
        filled.said.append(f"Python {filled.slots['version']}, as .python-version says")
    if port:
        filled.said.append(f"it answers at http://127.0.0.1:{port}")
    return filled


def _debug(start: list[str], what: str, port: int | None) -> str:
    """The profile under which a debugger can be attached."""
    # debugpy's own words: a module after -m, or a file
    listening = f"python -m debugpy --listen 0.0.0.0:{DEBUG_PORT} {what}"
    debugged = command(*start, "python -c 'import debugpy' 2>/dev/null || pip install --user debugpy", listening)
    return debug_profile(debugged, [port, DEBUG_PORT] if port else [DEBUG_PORT])


def _install(folder: Folder, package: str) -> tuple[str, list[str]]:
    if folder.has("requirements.txt"):
        return "pip install --user -r requirements.txt", ["requirements.txt"]
    if folder.pyproject.get("project") or folder.pyproject.get("build-system"):
        return "pip install --user -e .", ["pyproject.toml"]
    return (f"pip install --user {package}", []) if package else ("", [])


def _asks_for(folder: Folder, name: str) -> str | None:
    """The file that lists a package."""
    pattern = re.compile(rf"^\s*{name}\s*(\[.*\])?\s*([=<>!~;@#].*)?$", re.IGNORECASE | re.MULTILINE)
    if pattern.search(folder.text("requirements.txt")):
        return "requirements.txt"
    listed = folder.pyproject.get("project")
    asked = listed.get("dependencies") if isinstance(listed, dict) else None
    words = [str(entry) for entry in asked] if isinstance(asked, list) else []
    words += table(folder.pyproject, "tool", "poetry", "dependencies")
    return "pyproject.toml" if any(pattern.search(word) for word in words) else None


def _object(folder: Folder, pattern: str) -> tuple[str, str] | None:
    """The file and the name of an object that a module makes."""
    for path, match in folder.search(pattern, (".py",)):
        if MODULE.fullmatch(path):
            return path, match[1]
    return None


def _module(path: str) -> str:
    """A file's name as a module; the folder src/ is on the path of an installed project."""
    return path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
