"""Rules about the project: its file, its folder, its ports, images and containers."""

from collections.abc import Iterator

from devmount.doctor.facts import Facts
from devmount.doctor.finding import Finding, Level, error, program, warning
from devmount.trust import Status

WATCHES = 524288  # a common value of fs.inotify.max_user_watches


def file(facts: Facts) -> Iterator[Finding]:
    for problem in facts.problems:
        yield Finding("file", Level.ERROR, problem.message, problem.where, problem.hint or "correct the file")
    for doubt in facts.warnings:
        yield warning("file", doubt, "correct the line, or take it out")
    if facts.project is not None:
        count = len(facts.project.services)
        services = "1 service" if count == 1 else f"{count} services"
        yield Finding("file", Level.OK, f"{facts.project.name}: {services}", str(facts.project.files[0]))


def file_system(facts: Facts) -> Iterator[Finding]:
    project = facts.project
    if project is None:
        return
    where = str(project.root)
    if facts.without_events is None:
        yield Finding("file system", Level.OK, "it tells of changes", where)
    elif project.watch.poll is not None:
        said = f"{facts.without_events} sends no events; the file says poll, so it is looked at"
        yield Finding("file system", Level.OK, said, where)
    elif facts.is_windows_drive:
        yield warning(
            "file system",
            "the project lies on a Windows drive: changes send no events, and every access is slow",
            "move it into Linux's own file system, such as your home folder; or set [watch] poll = true",
            where,
        )
    else:
        yield warning(
            "file system",
            f"the project lies on {facts.without_events}: changes made on another machine send no events",
            "set [watch] poll = true",
            where,
        )


def inotify(facts: Facts) -> Iterator[Finding]:
    inotify = facts.inotify
    if inotify is None or (facts.project is not None and facts.project.watch.poll is not None):
        return
    free = max(0, inotify.max_watches - inotify.watches)
    well = True
    if inotify.folders > free:
        well = False
        wanted = max(WATCHES, 2 * (inotify.watches + inotify.folders))
        yield warning(
            "inotify",
            f"the project has {inotify.folders} folders to watch, and the kernel has {free} watches left for you "
            f"(fs.inotify.max_user_watches = {inotify.max_watches}): the rest is looked at every second",
            f"raise it: sudo sysctl fs.inotify.max_user_watches={wanted}; "
            "or ignore what need not be watched: [watch] ignore",
        )
    if inotify.instances >= inotify.max_instances:
        well = False
        yield warning(
            "inotify",
            f"your programs have all {inotify.max_instances} inotify instances "
            "(fs.inotify.max_user_instances): changes are looked for every second",
            f"raise it: sudo sysctl fs.inotify.max_user_instances={max(1024, 2 * inotify.max_instances)}",
        )
    if well:
        yield Finding("inotify", Level.OK, f"{inotify.folders} folders to watch, {free} watches left")


def ports(facts: Facts) -> Iterator[Finding]:
    if facts.project is None or facts.engine is None or not facts.engine.is_on_this_machine:
        return
    for taken in facts.ports:
        port = taken.port
        yield error(
            "ports",
            f"port {port.host} of {port.address} is taken" + (f" by {taken.holder}" if taken.holder else ""),
            f'stop it, or publish another one: ports = ["{_next_port(port.host)}:{port.container}"]',
            f"[{_table(taken.service)}] ports in {facts.project.files[0]}",
        )
    published = [port for service in facts.project.services.values() for port in service.ports if port.host]
    if published and not facts.ports:
        numbers = ", ".join(str(port.host) for port in published)
        yield Finding("ports", Level.OK, f"{numbers}: free, or this project's already")


def _next_port(port: int) -> int:
    return port + 1 if port < 65535 else 8000


def images(facts: Facts) -> Iterator[Finding]:
    if facts.project is None or facts.engine is None:
        return
    engine = facts.engine
    missing = []
    for image in facts.images:
        if image.architecture is None:
            missing.append(image)
            continue
        if not image.architecture or image.architecture == engine.architecture:
            continue
        runs = image.architecture in facts.emulated or engine.is_desktop or not engine.is_local
        again = "devmount up --build" if image.is_built else f"{program(engine)} pull {image.name}"
        message = f"the image {image.name} is for {image.architecture}, the engine runs {engine.architecture}"
        where = f"[{_table(image.service)}]"
        if runs:
            yield warning("images", message + ": it is emulated, which is slow", f"get the other one: {again}", where)
        else:
            mend = f"get the one for {engine.architecture}: {again}"
            yield error("images", message + ", which cannot start it", mend, where)
    for image in missing:
        way = "is built" if image.is_built else "is pulled"
        yield Finding("images", Level.OK, f"{image.name} is not here yet: it {way} at the first up")
    if not missing and all(image.architecture == engine.architecture for image in facts.images):
        yield Finding("images", Level.OK, "all are here")


def containers(facts: Facts) -> Iterator[Finding]:
    if facts.project is None:
        return
    for other in facts.foreign:
        if other.root and other.root_exists:
            yield error(
                "containers",
                f"{other.name} belongs to another checkout of a project with this name",
                'give one of them another name = "...", in .devmount.local.toml where it is yours alone',
                other.root,
            )
        elif other.root:
            state = "runs still" if other.running else "is left over"
            yield warning(
                "containers",
                f"{other.name} {state} from a checkout that is gone; up replaces it",
                "or remove it now: devmount down",
                other.root,
            )
        else:
            yield error(
                "containers",
                f"a container named {other.name} exists and is not this project's",
                f'remove it ({program(facts.engine)} rm {other.name}) or give this project another name = "..."',
            )
    if not facts.foreign and facts.engine is not None:
        yield Finding("containers", Level.OK, "none of another checkout with this name")


def trust(facts: Facts) -> Iterator[Finding]:
    """On a terminal ``up`` asks for the word that is missing; without one it stops."""
    if facts.untold is not None:
        yield error(
            "trust", facts.untold.message, facts.untold.hint or "allow it again: devmount trust", facts.untold.where
        )
    standing = facts.standing
    if standing is None:
        return
    if standing.may_start:
        said = "it asks for nothing outside its folder" if standing.status is Status.NOTHING else "it is allowed"
        yield Finding("trust", Level.OK, said)
        return
    changed = standing.status is Status.CHANGED
    again = "the file was changed since you allowed it, and asks again" if changed else "it asks for your word"
    make = warning if facts.can_ask else error
    yield make(
        "trust", again, "read it, and allow it if you trust its author: devmount trust", "\n".join(standing.lines())
    )


def session(facts: Facts) -> Iterator[Finding]:
    if facts.has_session is None:
        return
    log = str(facts.session_log) if facts.session_log is not None else ""
    if facts.has_session:
        yield Finding("session", Level.OK, "one runs here: devmount events follows it, devmount stop ends it", log)
    else:
        yield Finding("session", Level.OK, "none runs here", f"log of the last in the background: {log}" if log else "")


def _table(service: str) -> str:
    return service if service == "app" else f"services.{service}"
