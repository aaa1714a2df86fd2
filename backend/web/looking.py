"""How we are, as this process sees it: quickly, whatever hangs, and with what its own tills meet."""

from typing import Any

from backend.ops.readings import Readings
from backend.ops.status import history_now, readings_now, status_now
from backend.wiring import Services


def status_seen(parts: Services) -> dict[str, Any]:
    """The status."""
    settings = parts.settings
    return status_now(
        parts.engine, settings.signer_socket, settings.data_dir, met=parts.tills.trouble.now, ask=parts.glance.ask
    )


def readings_seen(parts: Services) -> Readings:
    """What it is judged by."""
    settings = parts.settings
    return readings_now(
        parts.engine, settings.signer_socket, settings.data_dir, met=parts.tills.trouble.now, ask=parts.glance.ask
    )


def history_seen(parts: Services) -> list[dict[str, Any]]:
    """Incidents that are over; raises as the database does."""
    return parts.glance.ask(lambda: history_now(parts.engine))
