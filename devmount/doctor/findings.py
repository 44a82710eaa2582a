"""From facts to findings, pure: rules that say what is well, what is doubtful, and what stops ``up``."""

from collections.abc import Callable, Iterator

from devmount.doctor import of_engine, of_project
from devmount.doctor.facts import Facts
from devmount.doctor.finding import Finding, Level

RULES: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    of_project.file,
    of_engine.engine,
    of_engine.users,
    of_engine.selinux,
    of_engine.desktop,
    of_engine.disk,
    of_engine.clock,
    of_project.file_system,
    of_project.inotify,
    of_project.ports,
    of_project.images,
    of_project.containers,
    of_project.trust,
    of_project.session,
)


def findings(facts: Facts) -> list[Finding]:
    """All there is to say, in the order in which a person would look."""
    found = [finding for rule in RULES for finding in rule(facts)]
    for check, error in facts.failed:
        found.append(
            Finding(
                check,
                Level.WARNING,
                f"it could not be checked: {error.message}",
                error.where,
                error.hint or "run devmount doctor again; --debug shows more",
            )
        )
    return found
