"""The keys of the project file: their types, and what the JSON Schema says of them. One table for both."""

from typing import Any

from devmount.config.types import Either, Key, Listed, Mapped, Scalar, Table
from devmount.model import Action, MountType

STRING = Scalar(str, "a string")
BOOLEAN = Scalar(bool, "true or false")
INTEGER = Scalar(int, "a number")
PORT = Scalar(int, "a port number", minimum=1, maximum=65535)
STRINGS = Listed(STRING, "a list of strings")
DURATION = Scalar(str, 'a duration such as "500ms" or "3s"')
COMMAND = Either((STRING, STRINGS), "a string or a list of strings")
ONE_OR_MORE = Either((STRING, STRINGS), "a string or a list of strings")
TEXTS = Mapped(
    Either((STRING, INTEGER, BOOLEAN, Scalar(float, "a number")), "a string, a number, true or false"),
    "a table of strings",
)

BUILD = Table(
    {
        "context": Key(STRING, "The folder that is sent to the builder, relative to the project.", "."),
        "dockerfile": Key(STRING, "The Dockerfile, relative to the context.", "docker/dev.Dockerfile"),
        "target": Key(STRING, "The stage to build.", "dev"),
        "args": Key(TEXTS, "Build arguments.", {"VERSION": "3.12"}),
    }
)
MOUNT = Table(
    {
        "type": Key(
            Scalar(str, "a string", tuple(str(kind) for kind in MountType)),
            "bind, volume or tmpfs.",
            "bind",
            is_required=True,
        ),
        "source": Key(STRING, "A path on the host, or the name of a volume; nothing for tmpfs.", "./data"),
        "target": Key(STRING, "The path in the container.", "/data", is_required=True),
        "read_only": Key(BOOLEAN, "Whether the container may only read it.", True),
    },
    others={"readonly": "read_only", "destination": "target", "dst": "target", "src": "source"},
)
SHADOW = Table(
    {
        "path": Key(STRING, "The folder, relative to the project.", "node_modules", is_required=True),
        "keyed_by": Key(
            ONE_OR_MORE, "Lock files: when one changes the folder is filled anew from the image.", "package-lock.json"
        ),
    },
    others={"key": "keyed_by", "keyed": "keyed_by", "folder": "path"},
)
READY = Table(
    {
        "port": Key(PORT, "Ready when the program listens on this port of the container.", 8000),
        "http": Key(STRING, "Ready when this path answers with a status below 400.", "/health"),
        "command": Key(COMMAND, "Ready when this command, in the container, ends with exit code 0.", "pg_isready"),
        "log": Key(STRING, "Ready when a line of the log matches this regular expression.", "listening on"),
        "timeout": Key(DURATION, "How long to wait before saying that it is not ready.", "60s"),
    }
)
RULE = Table(
    {
        "files": Key(
            ONE_OR_MORE, "Which files: gitignore patterns, relative to the project.", ["*.conf"], is_required=True
        ),
        "run": Key(COMMAND, "A command in the container, before the action.", "pip install -r requirements.txt"),
        "run_user": Key(STRING, "The user that runs it.", "root"),
        "action": Key(
            Scalar(str, "a string", tuple(str(action) for action in Action)),
            "What to do; restart when it is not said.",
            "restart",
        ),
        "signal": Key(STRING, 'With action = "signal": which.', "SIGHUP"),
    }
)
DEPENDENCY = Table(
    {
        "service": Key(STRING, "The service that must be ready first.", "db", is_required=True),
        "restart": Key(BOOLEAN, "Restart this one when that one was recreated.", True),
    }
)
SERVICE = Table(
    {
        "image": Key(STRING, "The image to run; or build.", "python:3.12-slim"),
        "build": Key(
            Either((STRING, BUILD), "a folder or a table"), "The folder with the Dockerfile, or a table.", "."
        ),
        "command": Key(
            COMMAND, "The program: split as a shell would, or a list. Default: the image's.", "python -m shop"
        ),
        "mount": Key(STRING, "Where the project folder appears in the container.", "/srv/shop"),
        "ports": Key(
            Listed(Either((PORT, STRING), "a number or a string"), "a list of ports"),
            'Published ports, on 127.0.0.1 unless an entry names an address: 8000, "80:8000", "0.0.0.0:80:8000".',
            [8000],
        ),
        "env_files": Key(STRINGS, 'Files of variables; one that may be missing ends in "?".', [".env", ".env.local?"]),
        "environment": Key(TEXTS, "Variables of the program; they win over env_files.", {"DEBUG": "1"}),
        "user": Key(STRING, '"host" (you), "image", "root", a name or "uid:gid".', "host"),
        "mounts": Key(
            Listed(Either((STRING, MOUNT), "a string or a table"), "a list of mounts"),
            "Folders and single files of the host, and volumes.",
            ["./conf:/etc/app:ro", "data:/var/lib/app"],
        ),
        "shadow": Key(
            Listed(Either((STRING, SHADOW), "a folder or a table"), "a list of folders"),
            "Folders of the project mount that live in a volume, filled from the image.",
            ["node_modules"],
        ),
        "ready": Key(READY, "When the service counts as ready.", {"port": 8000}),
        "stop_signal": Key(STRING, "The signal that stops the program. Default: the image's, else SIGTERM.", "SIGINT"),
        "stop_timeout": Key(DURATION, "How long to wait for its end before SIGKILL.", "3s"),
        "depends_on": Key(
            Listed(Either((STRING, DEPENDENCY), "a service or a table"), "a list of services"),
            "Services that must be ready before this one starts.",
            ["db"],
        ),
        "on_change": Key(
            Listed(RULE, "a list of tables: [[app.on_change]]"),
            "What to do about which files; the first match wins.",
            [{"files": ["*.conf"], "action": "signal", "signal": "SIGHUP"}],
        ),
        "network": Key(
            Scalar(str, "a string", ("host", "none")),
            'Another network than the project\'s: "host" (the machine\'s own; needs your trust) or "none".',
            "none",
        ),
        "cap_add": Key(STRINGS, "Linux capabilities on top of the engine's; needs your trust.", ["SYS_PTRACE"]),
        "privileged": Key(BOOLEAN, "All capabilities and devices of the machine; needs your trust.", True),
        "tty": Key(BOOLEAN, "Give the program a terminal; it is then restarted with its container.", True),
    },
    others={
        "env_file": "env_files",
        "env": "environment",
        "volumes": "mounts",
        "volume": "mounts",
        "healthcheck": "ready",
        "entrypoint": "command",
        "cmd": "command",
        "working_dir": "mount",
        "workdir": "mount",
        "network_mode": "network",
        "capabilities": "cap_add",
        "stop_grace_period": "stop_timeout",
        "dockerfile": 'build = { dockerfile = "..." }',
    },
)
VOLUME = Table(
    {
        "driver": Key(STRING, "The volume driver.", "local"),
        "options": Key(TEXTS, "Options of the driver.", {"type": "tmpfs", "device": "tmpfs"}),
        "labels": Key(TEXTS, "Labels of the volume.", {"team": "shop"}),
        "external": Key(BOOLEAN, "Made by someone else, under exactly this name; never made or removed here.", True),
        "exclusive": Key(BOOLEAN, "Whether one container at a time may write into it.", True),
    },
    others={"driver_opts": "options", "opts": "options"},
)
WATCH = Table(
    {
        "ignore": Key(STRINGS, "gitignore patterns, on top of the .gitignore files.", ["*.log", "/build/"]),
        "settle": Key(DURATION, "Quiet time after a completed write.", "10ms"),
        "poll": Key(
            Either((BOOLEAN, DURATION), "true, false or a duration"),
            "Look at the files instead of waiting for events: for file systems that send none.",
            True,
        ),
        "same_content": Key(
            Scalar(str, "a string", ("reload", "skip")),
            "What a change does that leaves a file with the content it had at the last reload.",
            "skip",
        ),
    }
)
LAYER = {
    "app": Key(SERVICE, "The service you work on; it gets the project folder.", {"image": "python:3.12-slim"}),
    "services": Key(Mapped(SERVICE, "a table of services"), "Companions of the app.", {"db": {"image": "postgres:16"}}),
    "volumes": Key(
        Mapped(VOLUME, "a table of volumes"), "Named volumes, where they need more than a name.", {"data": {}}
    ),
    "watch": Key(WATCH, "How changes are noticed.", {"ignore": ["*.log"]}),
}
PROJECT = Table(
    {
        "name": Key(STRING, "The project's name. Default: the folder's.", "shop"),
        **LAYER,
        "profiles": Key(
            Mapped(Table(LAYER), "a table of profiles"), "Laid over the rest with --profile NAME.", {"ci": {"app": {}}}
        ),
    },
    others={
        **dict.fromkeys(SERVICE.keys, "[app] above it"),
        **{"service": "services", "volume": "volumes", "profile": "profiles"},
    },
)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft-07, which editors know) of the project file."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "devmount project file (.devmount.toml)",
        **PROJECT.schema(),
    }
