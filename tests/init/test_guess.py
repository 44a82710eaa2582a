"""What a folder is taken for, and what is written for it."""

import json
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devmount.config.keys import PROJECT
from devmount.init import templates
from devmount.init.folder import Folder
from devmount.init.guess import FILLERS, fill, guess
from tests.harness import REPOSITORY

PACKAGE = {"scripts": {"dev": "node server.js"}, "dependencies": {"express": "^4"}}

# The files, the template they are taken for, and pieces of the text that is written.
FOLDERS: dict[str, tuple[dict[str, str], str, list[str]]] = {
    "flask, requirements": (
        {"requirements.txt": "Flask>=3\n", "app.py": "from flask import Flask\napp = Flask(__name__)\n"},
        "flask",
        ["pip install --user -r requirements.txt", "python -m flask run", 'files = ["requirements.txt"]', "5678"],
    ),
    "flask in a package": (
        {"pyproject.toml": '[project]\ndependencies = ["flask[async]>=2"]\n', "src/shop/web.py": "site = Flask('x')\n"},
        "flask",
        ["pip install --user -e .", "--app shop.web:site"],
    ),
    "a flask factory": (
        {"shop/__init__.py": "from flask import Flask\ndef create_app():\n"},
        "flask",
        ["--app shop run"],
    ),
    "django": (
        {"manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'x')", "requirements.txt": "django~=5.0 # lts"},
        "django",
        ["python manage.py runserver --noreload 0.0.0.0:8000"],
    ),
    "fastapi": (
        {"requirements.txt": "fastapi[standard]\n", "app/main.py": "api = FastAPI()\n"},
        "fastapi",
        ["uvicorn app.main:api --host 0.0.0.0"],
    ),
    "fastapi by poetry": ({"pyproject.toml": '[tool.poetry.dependencies]\nfastapi = "*"\n'}, "fastapi", ["main:app"]),
    "plain python": (
        {"requirements.txt": "requests\n", "main.py": "", ".python-version": "3.11.4\n"},
        "python",
        ["python:3.11-slim", "exec python main.py"],
    ),
    "a python program": ({"tool.py": "if __name__ == '__main__':\n"}, "python", ['command = "python tool.py"']),
    "a python package": ({"shop/__main__.py": "", "pyproject.toml": "[build-system]\n"}, "python", ["python -m shop"]),
    "a python file with a space": ({"my tool.py": "if __name__ == '__main__': 1"}, "python", ["python 'my tool.py'"]),
    "express": (
        {"package.json": json.dumps(PACKAGE), "server.js": "app.listen(process.env.PORT || 4000)\n"},
        "node",
        [
            "npm run dev",
            "ports = [4000]",
            "--inspect=0.0.0.0:9229 server.js",
            "cat package.json | cmp -s - node_modules/.installed || npm install",
        ],
    ),
    "a reloader of its own": (
        {"package.json": json.dumps({"scripts": {"dev": "nodemon index.js"}})},
        "node",
        ['files = ["*"]\naction = "none"'],
    ),
    "node without packages": ({"server.js": "http.listen(8080)"}, "node", ['command = "node server.js"', "8080"]),
    "yarn": (
        {"package.json": json.dumps(PACKAGE), "yarn.lock": "", ".nvmrc": "v20.1.0\n"},
        "node",
        ["corepack yarn dev", "node:20-slim", 'files = ["package.json", "yarn.lock"]'],
    ),
    "vite": (
        {"package.json": json.dumps({"scripts": {"dev": "vite"}, "devDependencies": {"vite": "^5"}}), "index.html": ""},
        "vite",
        ["npm run dev -- --host 0.0.0.0 --port 5173 --strictPort"],
    ),
    "next": (
        {"package.json": json.dumps({"scripts": {"dev": "next dev"}, "dependencies": {"next": "15"}})},
        "next",
        ["npm run dev -- --hostname 0.0.0.0", "ports = [3000]"],
    ),
    "go": (
        {"go.mod": "module x\n\ngo 1.22.1\n", "cmd/web/main.go": 'package main\nhttp.ListenAndServe(":9000", nil)\n'},
        "go",
        ["golang:1.22", "go build -o /tmp/app ./cmd/web", "ports = [9000]"],
    ),
    "rust": ({"Cargo.toml": '[package]\nname = "shop"\n'}, "rust", ["/tmp/target/debug/shop", "rust:1"]),
    "rack": ({"Gemfile": 'gem "rack"\n', "config.ru": ""}, "ruby", ["bundle exec rackup", "ports = [9292]"]),
    "sinatra": ({"Gemfile": "gem 'sinatra'", "app.rb": ""}, "ruby", ["bundle exec ruby app.rb", "ports = [4567]"]),
    "rails": (
        {"Gemfile": 'gem "rails", "~> 8"\n', "bin/rails": "", "config.ru": "", ".ruby-version": "ruby-3.4.1"},
        "ruby",
        ["rails server", "ruby:3.4", 'files = ["/app/"]'],
    ),
    "composer": ({"composer.json": "{}", "public/index.php": "<?php"}, "php", ["composer:2", "-t public"]),
    "plain php": ({"index.php": "<?php"}, "php", ["php:8.3-cli", 'command = "php -S 0.0.0.0:8000"']),
    "pages": ({"index.html": "<p>"}, "static", ["nginx:1-alpine", 'ports = ["8000:80"]']),
    "a dockerfile": (
        {
            "Dockerfile": "FROM a AS b\nEXPOSE 1\nFROM python\nWORKDIR /srv\nEXPOSE 9000/tcp\nCMD x",
            "requirements.txt": "x",
        },
        "dockerfile",
        ["ports = [9000]", 'files = ["Dockerfile", "requirements.txt"]'],
    ),
    "a dockerfile with node": (
        {"Dockerfile": "FROM node:22\nWORKDIR /app\nRUN npm ci\nCMD npm start", "package.json": "{}"},
        "dockerfile",
        ['mounts = ["node_modules:/app/node_modules"]'],
    ),
    "a dockerfile of a finished program": (
        {"Dockerfile": "FROM golang AS b\nRUN go build\nFROM scratch\nCOPY --from=b /app /app", "go.mod": "module x"},
        "go",
        ["golang:"],
    ),
}


def folder(files: dict[str, str]) -> Folder:
    names = {path.partition("/")[0] + ("/" if "/" in path else "") for path in files}
    return Folder("shop", frozenset(names), files)


def written(seen: Folder, template: str | None = None, *companions: str) -> str:
    made = guess(seen) if template is None else fill(seen, template)
    assert made is not None
    return templates.render(
        templates.text(made.template), made.slots, {name: templates.text(name) for name in companions}
    )


@pytest.mark.parametrize("case", FOLDERS)
def test_a_folder_is_taken_for_what_it_is(case: str) -> None:
    files, template, pieces = FOLDERS[case]
    made = guess(folder(files))
    assert made is not None
    assert made.template == template
    text = written(folder(files))
    assert [piece for piece in pieces if piece not in text] == [], text
    assert list(PROJECT.check(tomllib.loads(text), ())) == []
    assert made.said
    assert all(line and "\n" not in line for line in made.said)


def test_what_else_is_there_is_said() -> None:
    made = guess(folder({"go.mod": "module x", "index.html": "", "compose.yaml": "", ".devcontainer/x": ""}))
    assert made is not None
    assert "there is index.html, too: --template static would take that instead" in made.said
    assert "there is compose.yaml: devmount init --from compose.yaml would carry it over" in made.said
    assert any("--from .devcontainer/devcontainer.json" in line for line in made.said)


def test_nothing_is_guessed_from_nothing() -> None:
    assert guess(folder({})) is None
    assert guess(folder({"README.md": "flask"})) is None


def test_every_template_has_its_filler_and_every_one_is_shipped() -> None:
    assert sorted(FILLERS) == templates.names()
    built = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert built["force-include"] == {"templates": "devmount/templates"}
    wanted = ["python", "flask", "django", "fastapi", "node", "vite", "next", "go", "rust", "ruby", "php", "static"]
    assert set(wanted) <= set(templates.names())


@pytest.mark.parametrize("template", sorted(FILLERS))
def test_every_template_takes_every_companion(template: str) -> None:
    for companions in ([], ["postgres"], ["mysql"], ["redis"], ["postgres", "redis"], ["mysql", "postgres", "redis"]):
        text = written(folder({}), template, *companions)
        values = tomllib.loads(text)
        assert list(PROJECT.check(values, ())) == []
        assert list(values.get("services", {})) == companions
        assert values["app"].get("depends_on", []) == companions
        assert "{{" not in text
        assert "\n\n\n" not in text
        assert text.startswith("# ")
        if "redis" in companions:
            assert values["app"]["environment"]["REDIS_URL"] == "redis://redis:6379/0"
        if set(companions) & {"postgres", "mysql"}:
            assert f"@{companions[0]}:" in values["app"]["environment"]["DATABASE_URL"]


NAMES = [
    *("requirements.txt", "pyproject.toml", "package.json", "go.mod", "Cargo.toml", "Gemfile", "composer.json"),
    *("Dockerfile", "index.html", "app.py", "main.go", "server.js", "config.ru", ".nvmrc", ".python-version"),
    *("manage.py", "bin/rails", "artisan", "public/index.php", "we'ird \"nam\\e.py", ".ruby-version", "é.py"),
]
PIECES = (
    """flask|django|"|'''|\\|{{slot}}|[project]|name = |app = Flask(|npm|RUN |{"scripts": 3}|[]|if __name__ ==|=| """
)
WORDS = st.sampled_from(
    [*PIECES.split("|"), "\n", "FROM x\n", "EXPOSE 9\n", "WORKDIR /a'b\n", '{"scripts": {"dev": "a\\n"}}']
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), st.one_of(st.text(max_size=80), st.lists(WORDS).map("".join))))
def test_whatever_is_there_a_good_file_is_written(files: dict[str, str]) -> None:
    for template in (None, *FILLERS):
        if template is None and guess(folder(files)) is None:
            continue
        text = written(folder(files), template, "postgres")
        assert list(PROJECT.check(tomllib.loads(text), ())) == [], text
