"""How we are, as this process sees it: quickly, whatever hangs, and with what its own tills meet."""

from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from backend.db.failures import failure_of
from backend.ops.readings import Readings
from backend.ops.status import history_now, readings_now, status_now
from backend.wiring import Services


def status_seen(parts: Services) -> dict[str, Any]:
    """The status."""
    settings, trouble, ask = parts.settings, parts.tills.trouble, parts.glance.ask
    return status_now(
        parts.engine, settings.signer_socket, settings.data_dir, met=trouble.now, sold=trouble.sold_lately, ask=ask
    )


def readings_seen(parts: Services) -> Readings:
    """What it is judged by."""
    settings, trouble, ask = parts.settings, parts.tills.trouble, parts.glance.ask
    return readings_now(
        parts.engine, settings.signer_socket, settings.data_dir, met=trouble.now, sold=trouble.sold_lately, ask=ask
    )


def history_seen(parts: Services) -> list[dict[str, Any]]:
    """Incidents that are over; raises as the database does."""
    return parts.glance.ask(lambda: history_now(parts.engine))


def history_if_seen(parts: Services) -> list[dict[str, Any]]:
    """The same for a page that has other things to tell: nothing while the database is away."""
    try:
        return history_seen(parts)
    except SQLAlchemyError as error:
        if failure_of(error) is None:
            raise
        return []
