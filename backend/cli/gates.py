"""`truestub gate`: let gates fetch what they need."""

import json
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from backend.cli.keys import Slug, event_by_slug
from backend.credentials.gates import Enrolled, enrol, gates_of, renew_token
from backend.i18n import gettext as _
from backend.settings import settings_from
from backend.wiring import open_database

app = typer.Typer(help="Gates.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="for programs: {number, token}")]


@app.command("enrol")
def enrol_gate(
    slug: Slug, name: Annotated[str, typer.Argument(help="as staff call it, such as North")], as_json: AsJson = False
) -> None:
    """Enrol a gate. Its token is shown once; give it to the gate and to nobody else."""
    engine = open_database(settings_from(os.environ))
    _say(enrol(engine, event_by_slug(engine, slug).id, name), as_json)
    engine.dispose()


@app.command("renew")
def renew_gate(slug: Slug, number: Annotated[int, typer.Argument()], as_json: AsJson = False) -> None:
    """Give a gate a new token; the old one stops working."""
    engine = open_database(settings_from(os.environ))
    _say(renew_token(engine, event_by_slug(engine, slug).id, number), as_json)
    engine.dispose()


@app.command("list")
def list_gates(slug: Slug) -> None:
    """Show an event's gates."""
    engine = open_database(settings_from(os.environ))
    gates = gates_of(engine, event_by_slug(engine, slug).id)
    engine.dispose()
    table = Table(_("number"), _("name"), _("key"))
    for gate in gates:
        table.add_row(str(gate.number), gate.name, gate.public_key.hex() if gate.public_key else _("none yet"))
    Console().print(table)


def _say(enrolled: Enrolled, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"number": enrolled.number, "token": enrolled.token}))
        return
    typer.echo(_("Gate number %d") % enrolled.number)
    typer.echo(_("Token, shown this once: %s") % enrolled.token)
    typer.echo(_("Set the gate up with: truestub-gate init --number %d --token-file FILE ...") % enrolled.number)
