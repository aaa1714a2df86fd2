"""`truestub event`: put events on sale from files."""

import os
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy import Connection

from backend.chain.jobs import enqueue_create_event
from backend.desk.audit import COMMAND_LINE, append, note
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.sales.answers import rfc3339
from backend.sales.calling_off import Times, cancel_event, postpone_event
from backend.sales.events import create_event_from_file, prepare_event, read_event_file
from backend.settings import settings_from
from backend.wiring import Services, wire

app = typer.Typer(help="Events.", no_args_is_help=True)


@app.callback()
def _events() -> None:
    pass


@app.command()
def cancel(slug: Annotated[str, typer.Argument(help="the event's slug")]) -> None:
    """Call an event off. Selling stops at once; the worker gives everybody their money back."""
    services = wire(settings_from(os.environ))
    try:
        note(services.engine, services.secret, COMMAND_LINE, "event_cancel", f"event:{slug}")
        cancel_event(services.engine, slug)
    finally:
        services.close()
    typer.echo(_("%s is cancelled. The money goes back while `truestub work` runs.") % slug)


@app.command()
def postpone(
    slug: Annotated[str, typer.Argument(help="the event's slug")],
    file: Annotated[Path, typer.Argument(help="the event's file with the new times; nothing else of it is read")],
) -> None:
    """Move an event to another time. Tickets stay good; buyers may give them back whole until doors open."""
    services = wire(settings_from(os.environ))
    try:
        plan = read_event_file(file)
        times = Times(plan.doors_ms, plan.starts_ms, plan.ends_ms, plan.freeze_ms)
        moved = {"starts": rfc3339(times.starts_ms), "doors": rfc3339(times.doors_ms)}
        note(services.engine, services.secret, COMMAND_LINE, "event_postpone", f"event:{slug}", **moved)
        postpone_event(services.engine, slug, times, plan.refund_until_ms)
    finally:
        services.close()
    typer.echo(_("%s has its new times.") % slug)


@app.command()
def create(file: Annotated[Path, typer.Argument(help="the event, as in examples/concert.toml")]) -> None:
    """Put an event on sale. Running it again with the same file finishes what was left undone, and is harmless.

    The file of an event that is there may have changed since: name, venue, limits, rules for giving back (if they
    become kinder) and the sale's start (until then) are changed; anything else is refused.
    """
    services = wire(settings_from(os.environ))

    def told(connection: Connection, slug: str, changed: dict[str, list[Any]]) -> None:
        append(connection, services.secret, COMMAND_LINE, "event_edit", f"event:{slug}", **changed)

    try:
        event_id, plan = create_event_from_file(services.engine, file, told)
        note(services.engine, services.secret, COMMAND_LINE, "event_create", f"event:{plan.slug}")
        _prepare(services, event_id)
    finally:
        services.close()
    typer.echo(
        _("%(name)s is on sale: %(slug)s, event %(id)s") % {"name": plan.name, "slug": plan.slug, "id": event_id}
    )


def _prepare(services: Services, event_id: UUID) -> None:
    """Ready for sale; a signer that does not run is the caller's to start."""
    try:
        prepare_event(services.engine, services.signer, event_id, enqueue_create_event)
    except Refused as refused:
        if refused.refusal.code != "signer_unreachable":
            raise
        sentence = _(
            "The signer does not run; start it with `truestub up` (or `truestub signer run`) and do this again"
        )
        raise refuse("signer_unreachable", sentence) from refused
