"""A test's process may stand still for seconds beside others: that is not the fault the test is about."""

import dataclasses

from backend.ops.glance import Glance
from backend.wiring import Services

GLANCE_SECONDS = 20.0


def patient(services: Services) -> Services:
    """The same, but slow to take its database for silent."""
    return dataclasses.replace(services, glance=Glance(GLANCE_SECONDS))
