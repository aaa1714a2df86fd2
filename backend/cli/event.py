"""`truestub event`: put events on sale from files."""

import os
from pathlib import Path
from typing import Annotated

import typer

from backend.chain.jobs import enqueue_create_event
from backend.i18n import gettext as _
from backend.sales.events import create_event_from_file, prepare_event
from backend.settings import settings_from
from backend.wiring import wire

app = typer.Typer(help="Events.", no_args_is_help=True)


@app.callback()
def _events() -> None:
    pass


@app.command()
def create(file: Annotated[Path, typer.Argument(help="the event, as in examples/concert.toml")]) -> None:
    """Put an event on sale. Running it again with the same file finishes what was left undone, and is harmless."""
    services = wire(settings_from(os.environ))
    try:
        event_id, plan = create_event_from_file(services.engine, file)
        prepare_event(services.engine, services.signer, event_id, enqueue_create_event)
    finally:
        services.close()
    typer.echo(
        _("%(name)s is on sale: %(slug)s, event %(id)s") % {"name": plan.name, "slug": plan.slug, "id": event_id}
    )
