"""`truestub privacy`: what a person may ask for. The address is read, so that no history of commands has it."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import typer
from sqlalchemy import Engine

from backend.desk.audit import COMMAND_LINE, note
from backend.i18n import gettext as _
from backend.i18n import ngettext
from backend.privacy import erased
from backend.privacy.contacts import MAX_MAIL_CHARACTERS
from backend.privacy.rights import erase_due, erase_person, export_person
from backend.sales.installation import installation_secret
from backend.settings import settings_from
from backend.wiring import open_database

app = typer.Typer(help="Personal data.", no_args_is_help=True)


@app.command()
def export() -> None:
    """Print all that is kept about somebody, as JSON. The mail address is read from standard input."""
    mail = _mail()
    with _platform() as (engine, secret):
        told = export_person(engine, secret, mail)
        note(engine, secret, COMMAND_LINE, "privacy_export", "person")
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2))


@app.command()
def erase() -> None:
    """Forget somebody for good. Tickets and accounts stay, without a name. The address is read from standard input."""
    mail = _mail()
    folder = settings_from(os.environ).data_dir
    with _platform() as (engine, secret):
        count = erase_person(engine, secret, COMMAND_LINE, mail, partial(erased.record, folder))
    typer.echo(ngettext("%d value can't be read any more.", "%d values can't be read any more.", count) % count)


@app.command()
def sweep() -> None:
    """Forget everybody whose time has come; the worker does so by itself every hour."""
    with _platform() as (engine, secret):
        count = erase_due(engine, secret)
    typer.echo(ngettext("%d person was forgotten.", "%d people were forgotten.", count) % count)


@contextmanager
def _platform() -> Iterator[tuple[Engine, bytes]]:
    settings = settings_from(os.environ)
    engine = open_database(settings)
    try:
        yield engine, installation_secret(settings.keys_dir)
    finally:
        engine.dispose()


def _mail() -> str:
    if sys.stdin.isatty():
        typed: str = typer.prompt(_("Mail address"))
        return typed
    return sys.stdin.readline(MAX_MAIL_CHARACTERS + 2).strip()
