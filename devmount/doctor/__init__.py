"""What stands in the way of ``up``: facts are gathered at the rim, and findings made of them by pure rules."""

from devmount.doctor.facts import Facts
from devmount.doctor.finding import Finding, Level
from devmount.doctor.findings import findings
from devmount.doctor.gather import gather

__all__ = ["Facts", "Finding", "Level", "findings", "gather"]
