"""Ruby, PHP, plain pages, and what a Dockerfile builds; pure."""

import re
from collections.abc import Iterator

from devmount.config.types import toml
from devmount.init.folder import Folder
from devmount.init.parts import Filled, command, is_version, once, rule, written_rule

COMPILED = ("go", "rust")
DEPENDENCIES = (  # a change of these changes what the Dockerfile builds
    "requirements.txt",
    "pyproject.toml",
    "package.json",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "Gemfile.lock",
    "composer.lock",
    "go.mod",
    "Cargo.toml",
)


def kinds(folder: Folder) -> Iterator[tuple[str, str]]:
    """The templates that fit, and why."""
    if folder.has("Gemfile", "config.ru"):
        yield "ruby", "there is " + ("Gemfile" if folder.has("Gemfile") else "config.ru")
    if folder.has("composer.json"):
        yield "php", "there is composer.json"
    elif folder.has("index.php") or "public/index.php" in folder.texts:
        yield "php", "there is index.php"


def static(folder: Folder) -> Iterator[tuple[str, str]]:
    if folder.has("index.html"):
        yield "static", "there is index.html"


def ruby(folder: Folder) -> Filled:
    filled = Filled()
    install = "bundle check || bundle install" if folder.has("Gemfile") else ""
    bundled = "bundle exec " if install else ""
    if folder.has("bin/") and re.search(r"^\s*gem ['\"]rails['\"]", folder.text("Gemfile"), re.MULTILINE):
        port, run = 3000, "bundle exec rails server -b 0.0.0.0 -p 3000"
        filled.said.append("Rails loads changed code at each request: only other files restart it")
        filled.slots["reload_rule"] = rule(["/app/"], "Rails loads these again by itself", action="none")
    elif folder.has("config.ru"):
        port, run = 9292, f"{bundled}rackup --host 0.0.0.0 --port 9292"
    else:
        program = next((name for name in ("app.rb", "main.rb", "server.rb") if folder.has(name)), "app.rb")
        port, run = (
            (4567, f"{bundled}ruby {program} -o 0.0.0.0")
            if _is_sinatra(folder)
            else (
                9292,
                f"{bundled}ruby {program}",
            )
        )
    filled.slots["port"] = str(port)
    files = [name for name in ("Gemfile", "Gemfile.lock") if folder.has(name)]
    filled.slots["command"] = command(*(once(f"{{ {install}; }}", files) if install else []), run)
    if install:
        filled.slots["install_rule"] = rule(
            files, "gems: installed, then the program starts again", run="bundle install"
        )
        if "Gemfile.lock" not in files:
            filled.slots["install_rule"] += "\n" + written_rule("Gemfile.lock")
    version = folder.text(".ruby-version").strip().removeprefix("ruby-")
    if is_version(version) and "." in version:
        filled.slots["version"] = ".".join(version.split(".")[:2])
        filled.said.append(f"Ruby {filled.slots['version']}, as .ruby-version says")
    filled.said.append(f"it answers at http://127.0.0.1:{port}")
    return filled


def _is_sinatra(folder: Folder) -> bool:
    return bool(re.search(r"sinatra", folder.text("Gemfile") + folder.text("app.rb")))


def php(folder: Folder) -> Filled:
    filled = Filled()
    root = " -t public" if "public/index.php" in folder.texts else ""
    run = f"php -S 0.0.0.0:8000{root}"
    if folder.has("artisan"):
        run = "php artisan serve --host 0.0.0.0 --port 8000"
    start: list[str] = []
    if folder.has("composer.json"):
        filled.slots["image"] = "composer:2"
        files = [name for name in ("composer.json", "composer.lock") if folder.has(name)]
        start = once("composer install --no-interaction", files, "vendor/.installed")
        filled.slots["install_rule"] = rule(
            files, "packages: installed, then the program starts again", run="composer install --no-interaction"
        )
        filled.said.append("the image composer:2 holds PHP, too; packages come with composer install")
    filled.slots["command"] = command(*start, run)
    filled.said.append("it answers at http://127.0.0.1:8000")
    return filled


def dockerfile(folder: Folder) -> Filled:
    filled = Filled()
    text = folder.text("Dockerfile")
    last = text[text.upper().rfind("\nFROM ") + 1 :]
    ports = [int(port) for port in re.findall(r"(?im)^EXPOSE\s+(\d{1,5})\b", last) if 1 <= int(port) <= 65535]
    if ports:
        filled.slots["ports"] = f"ports = {toml(ports)}"
        filled.slots["ready"] = f"ready = {{ port = {ports[0]} }}"
        filled.said.append("it answers at " + ", ".join(f"http://127.0.0.1:{port}" for port in ports) + ": EXPOSE")
    else:
        filled.said.append("the Dockerfile has no EXPOSE: no port is published; add ports = [...] if it has one")
    folders = re.findall(r"(?im)^WORKDIR\s+(\S+)", last)
    if folders and folders[-1].startswith("/"):
        filled.said.append(f"this folder appears at {folders[-1]}, the WORKDIR, in place of what was copied there")
        if re.search(r"(?im)^RUN\s.*\b(npm|yarn|pnpm)\b", last):
            place = f"{folders[-1].rstrip('/')}/node_modules"
            filled.slots["mounts"] = (
                f'mounts = ["node_modules:{place}"]  # the packages of the image, not those of the host'
            )
            filled.slots["reload_rule"] = rule(
                ["package.json", "package-lock.json"], "packages", run="npm install", run_user="root"
            )
    else:
        filled.slots["mounts"] = 'mount = "/workspace"                    # where this folder appears in the container'
        filled.said.append("the Dockerfile has no WORKDIR: this folder appears at /workspace")
    if not re.search(r"(?im)^(CMD|ENTRYPOINT)\b", last):
        filled.said.append("the Dockerfile has no CMD: add command = ... where its base image has none either")
    rebuild = ["Dockerfile", *(name for name in DEPENDENCIES if folder.has(name) and "reload_rule" not in filled.slots)]
    filled.slots["rebuild"] = toml(rebuild)
    return filled


def is_finished_program(folder: Folder, language: str) -> bool:
    """Whether the Dockerfile's last stage takes a compiled program from another: the sources have no place in it."""
    return language in COMPILED and bool(re.search(r"(?im)^COPY\s+--from=", folder.text("Dockerfile")))
