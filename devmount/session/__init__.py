"""The life of one ``up``."""

from devmount.session.loop import Session
from devmount.session.messages import Ask, Order

__all__ = ["Ask", "Order", "Session"]
