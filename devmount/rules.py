"""From a batch to a plan: which service does what. Pure."""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from devmount.events import Kind
from devmount.ignore import Patterns
from devmount.model import Action, MountType, Rule, Service
from devmount.settle import Batch

ENV_FILE = "env file"
PROJECT_FILE = "project file"
DOCKERFILE = "Dockerfile"
LOCK_FILE = "lock file"
PROJECT_FOLDER = "project folder"


@dataclass(frozen=True, slots=True)
class Step:
    """What one service does about a batch.

    ``files``: what caused it. ``rule``: the patterns of the strongest rule; None for the default. ``run``: commands in
    the container before the action, each with its user. ``signals``: with ``Action.SIGNAL``, in order.
    """

    service: str
    action: Action
    files: tuple[str, ...]
    rule: str | None = None
    run: tuple[tuple[tuple[str, ...], str | None], ...] = ()
    signals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """One step a service at most. ``reread``: the project file, an env file or a lock file has changed."""

    steps: tuple[Step, ...]
    reread: bool = False


@dataclass(slots=True)
class _Draft:
    action: Action = Action.NONE
    rule: str | None = None
    files: list[str] = field(default_factory=list)
    run: dict[tuple[tuple[str, ...], str | None], None] = field(default_factory=dict)
    signals: dict[str, None] = field(default_factory=dict)

    def add(self, path: str, action: Action, label: str | None) -> None:
        if not self.files or action.strength > self.action.strength:
            self.action, self.rule = action, label
        self.files.append(path)


def plan(
    batch: Batch,
    services: Iterable[Service],
    *,
    root: Path,
    project_files: Collection[str],
    failed: Collection[str] = (),
) -> Plan:
    """What to do about ``batch``.

    Args:
        services: those that run, in the order in which they act.
        root: the project folder, absolute.
        project_files: paths of the files that the project was read from, relative to ``root``.
        failed: services whose program has ended with an error. Whatever a rule says of a file, a change of it starts
            such a program again: it may reload itself, and cannot when it is gone.
    """
    steps = []
    reread = False
    for service in services:
        env_files = {os.path.relpath(path, root) for path in service.env_files}
        lock_files = {file for shadow in service.shadows for file in shadow.keyed_by}
        dockerfile = _dockerfile(service, root)
        draft = _Draft()
        touched = []
        for change in batch.changes:
            path = change.path
            rule = next(
                (rule for rule in service.on_change if _patterns(rule.files).matches(path, change.is_dir)), None
            )
            if path == "." and change.kind is Kind.CREATED:
                reread = True
                if _mounts_project(service, root):  # it still holds the folder that was
                    draft.add(path, Action.RECREATE, PROJECT_FOLDER)
            elif path in project_files:
                reread = True  # which services differ is known only when it has been read
            elif path in env_files:
                reread = True
                draft.add(path, Action.RECREATE, ENV_FILE)
            elif path in lock_files:
                reread = True  # the shadow's volume is another one now
                draft.add(path, Action.REBUILD if service.build else Action.RECREATE, LOCK_FILE)
            elif rule is not None:
                touched.append(path)
                _follow(rule, path, draft)
            elif path == dockerfile:
                draft.add(path, Action.REBUILD, DOCKERFILE)
            elif service.mount is not None:
                draft.add(path, Action.RESTART, None)
        if service.name in failed and touched and draft.action.strength < Action.RESTART.strength:
            draft.action, draft.rule, draft.files = Action.RESTART, None, touched
        if draft.action is not Action.NONE or draft.run:
            steps.append(
                Step(
                    service.name,
                    draft.action,
                    tuple(draft.files),
                    draft.rule,
                    tuple(draft.run),
                    tuple(draft.signals) if draft.action is Action.SIGNAL else (),
                )
            )
    return Plan(tuple(steps), reread)


def _follow(rule: Rule, path: str, draft: _Draft) -> None:
    if rule.action is Action.NONE and rule.run is None:
        return
    draft.add(path, rule.action, ", ".join(rule.files))
    if rule.run is not None:
        draft.run[rule.run, rule.run_user] = None
    if rule.signal is not None:
        draft.signals[rule.signal] = None


def _mounts_project(service: Service, root: Path) -> bool:
    sources = [Path(mount.source) for mount in service.mounts if mount.type is MountType.BIND]
    return service.mount is not None or any(source.is_relative_to(root) for source in sources)


def _dockerfile(service: Service, root: Path) -> str | None:
    return os.path.relpath(service.build.context / service.build.dockerfile, root) if service.build else None


@lru_cache(maxsize=256)
def _patterns(files: tuple[str, ...]) -> Patterns:
    return Patterns(files)
