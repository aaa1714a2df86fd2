"""`truestub gate`: let gates fetch what they need."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from backend.cli.keys import Slug, event_by_slug
from backend.credentials.gates import Enrolled, enrol, gates_of, renew_token
from backend.credentials.publishing import trust_root
from backend.gates.page_code import draw, page_code
from backend.i18n import gettext as _
from backend.settings import Settings, settings_from
from backend.wiring import open_database
from credential.codes import MAX_GATE_NUMBER

app = typer.Typer(help="Gates.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="for programs: {number, token}")]
ForPage = Annotated[bool, typer.Option("--page", help="print the set-up code of the gate page, to paste or scan")]


@app.command("enrol")
def enrol_gate(
    slug: Slug,
    name: Annotated[str, typer.Argument(help="as staff call it, such as North")],
    as_json: AsJson = False,
    for_page: ForPage = False,
) -> None:
    """Enrol a gate. Its token is shown once; give it to the gate and to nobody else."""
    with _platform() as (settings, engine):
        root = trust_root(engine) if for_page else None  # refused before a gate is enrolled that can't be set up
        enrolled = enrol(engine, event_by_slug(engine, slug).id, name)
    if root is None:
        _say(enrolled, as_json)
    else:
        _say_code(page_code(settings.public_url, slug, enrolled.number, name, enrolled.token, root))


@app.command("renew")
def renew_gate(
    slug: Slug,
    number: Annotated[int, typer.Argument(min=1, max=MAX_GATE_NUMBER)],
    as_json: AsJson = False,
    for_page: ForPage = False,
) -> None:
    """Give a gate a new token; the old one stops working."""
    with _platform() as (settings, engine):
        root = trust_root(engine) if for_page else None
        event_id = event_by_slug(engine, slug).id
        renewed = renew_token(engine, event_id, number)
        name = next(gate.name for gate in gates_of(engine, event_id) if gate.number == number)
    if root is None:
        _say(renewed, as_json)
    else:
        _say_code(page_code(settings.public_url, slug, number, name, renewed.token, root))


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


@contextmanager
def _platform() -> Iterator[tuple[Settings, Engine]]:
    settings = settings_from(os.environ)
    engine = open_database(settings)
    try:
        yield settings, engine
    finally:
        engine.dispose()


def _say(enrolled: Enrolled, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"number": enrolled.number, "token": enrolled.token}))
        return
    typer.echo(_("Gate number %d") % enrolled.number)
    typer.echo(_("Token, shown this once: %s") % enrolled.token)
    typer.echo(_("Set the gate up with: truestub-gate init --number %d --token-file FILE ...") % enrolled.number)


def _say_code(code: str) -> None:
    """The code on a line of its own, so that it can be copied whole; as a picture if somebody looks on."""
    if sys.stdout.isatty():
        draw(code)
        typer.echo(_("Open /gate on the device, and scan or paste this set-up code. It is a secret, shown this once:"))
    typer.echo(code)
