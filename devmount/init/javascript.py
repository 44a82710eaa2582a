"""Projects with a package.json, and Node programs without; pure."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

from devmount.init.folder import Folder, table
from devmount.init.parts import Filled, command, debug_profile, is_version, once, rule, written_rule

LOCKS = {  # the lock file, and how its packages are installed
    "package-lock.json": "npm install",
    "yarn.lock": "corepack yarn install",
    "pnpm-lock.yaml": "corepack pnpm install",
    "bun.lock": "npm install",
}
RUNNERS = {"npm install": "npm run", "corepack yarn install": "corepack yarn", "corepack pnpm install": "corepack pnpm"}
SERVERS = ("express", "fastify", "koa", "@nestjs/core", "hono")
RELOADING = re.compile(
    r"\b(nodemon|node-dev|ts-node-dev|tsx watch|node\s+(\S+\s+)*--watch|nest start --watch)\b|--watch\b"
)
DEBUG_PORT = 9229
PORT = r"\.listen\(\s*(?:\{\s*port:\s*)?(?:process\.env\.PORT\s*(?:\|\||\?\?)\s*)?(\d{2,5})\b"
PORT_CONSTANT = r"\b(?:PORT|port)\s*=\s*(?:Number\()?(?:process\.env\.PORT\s*(?:\|\||\?\?)\s*)?['\"]?(\d{2,5})\b"


def kinds(folder: Folder) -> Iterator[tuple[str, str]]:
    """The templates that fit, and why."""
    packages = {**_table(folder, "dependencies"), **_table(folder, "devDependencies")}
    for name in ("next", "vite"):
        if name in packages:
            yield name, f"package.json asks for {name}"
    for name in SERVERS:
        if name in packages:
            yield "node", f"package.json asks for {name}"
            return
    if folder.has("package.json"):
        yield "node", "there is package.json"
    elif folder.has("server.js", "server.mjs"):
        yield "node", "there is " + ("server.js" if folder.has("server.js") else "server.mjs")


def node(folder: Folder) -> Filled:
    filled, start, runner = _begin(folder)
    port, source = _port(folder)
    scripts = _table(folder, "scripts")
    script = next((name for name in ("dev", "start") if isinstance(scripts.get(name), str)), None)
    program = _program(folder)
    if script:
        run = f"{runner} {script}"
        filled.said.append(f'the program is "{run}", from package.json')
        if RELOADING.search(scripts[script]):
            filled.slots["reload_rule"] = rule(["*"], "it takes up saves by itself", action="none")
            filled.said.append(f'"{script}" restarts the program at a save by itself: devmount leaves that to it')
    else:
        run = f"node {shlex.quote(program)}"
    filled.slots["command"] = command(*start, run)
    filled.slots["port"] = str(port)
    filled.said.append(f"it answers at http://127.0.0.1:{port}{source}")
    if not script or re.fullmatch(r"node\s+[\w./-]+", scripts[script].strip()):
        shown = run if not script else scripts[script].strip()
        listening = re.sub(r"^node\b", f"node --inspect=0.0.0.0:{DEBUG_PORT}", shown)
        filled.slots["debug"] = debug_profile(command(*start, listening), [port, DEBUG_PORT])
    return filled


def vite(folder: Folder) -> Filled:
    return _development_server(folder, "vite", "--host 0.0.0.0 --port 5173 --strictPort", 5173)


def following(folder: Folder) -> Filled:
    """Next.js."""
    return _development_server(folder, "next dev", "--hostname 0.0.0.0 --port 3000", 3000)


def _development_server(folder: Folder, program: str, options: str, port: int) -> Filled:
    filled, start, runner = _begin(folder)
    script = _table(folder, "scripts").get("dev")
    if isinstance(script, str) and re.match(rf"{program}\b(?!.*&&)", script):
        dashes = " --" if runner == "npm run" else ""
        run = f"{runner} dev{dashes} {options}"
    else:
        run = f"npx {program} {options}"
    filled.slots["command"] = command(*start, run)
    filled.said.append(f"it answers at http://127.0.0.1:{port}")
    return filled


def _begin(folder: Folder) -> tuple[Filled, list[str], str]:
    """The slots of every template; the shell lines that install packages; how a script is run."""
    filled = Filled()
    lock = next((name for name in LOCKS if folder.has(name)), None)
    install = LOCKS[lock] if lock else "npm install"
    start: list[str] = []
    if _table(folder, "dependencies") or _table(folder, "devDependencies"):
        files = ["package.json", *([lock] if lock else [])]
        start = once(install, files, "node_modules/.installed")
        filled.slots["install_rule"] = rule(files, "packages: installed, then the program starts again", run=install)
        if lock is None:
            filled.slots["install_rule"] += "\n" + written_rule("package-lock.json")
        filled.said.append(f"packages come with {install}, into node_modules, when what lists them has changed")
    version = _version(folder)
    if version:
        filled.slots["version"] = version[0]
        filled.said.append(f"Node {version[0]}, as {version[1]} says")
    return filled, start, RUNNERS[install]


def _version(folder: Folder) -> tuple[str, str] | None:
    for name in (".nvmrc", ".node-version"):
        text = folder.text(name).strip().removeprefix("v")
        if is_version(text):
            return text.split(".")[0], name
    wanted = _table(folder, "engines").get("node")
    match = re.fullmatch(r"[\^~]?(\d{2})(\.[\dx*]+)*", wanted) if isinstance(wanted, str) else None
    return (match[1], "package.json") if match else None


def _program(folder: Folder) -> str:
    for name in ("server.js", "index.js", "app.js", "main.js", "server.mjs", "index.mjs", "src/index.js"):
        if name in folder.texts:
            return name
    main = folder.package.get("main")
    return main if isinstance(main, str) and re.fullmatch(r"[\w./-]+", main) else "server.js"


def _port(folder: Folder) -> tuple[int, str]:
    for pattern in (PORT, PORT_CONSTANT):
        for path, match in folder.search(pattern, (".js", ".mjs", ".cjs", ".ts")):
            if 1 <= int(match[1]) <= 65535:
                return int(match[1]), f", as {path} says"
    return 3000, " (a guess: change ports and ready where it listens elsewhere)"


def _table(folder: Folder, key: str) -> dict[str, Any]:
    return table(folder.package, key)
