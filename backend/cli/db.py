"""`truestub db`: the database's schema."""

import os

import typer

from backend.db.migrate import is_current
from backend.db.migrate import upgrade as bring_up
from backend.i18n import gettext as _
from backend.settings import settings_from
from backend.wiring import open_database

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Bring the database to the newest schema."""
    engine = open_database(settings_from(os.environ))
    bring_up(engine)
    engine.dispose()
    typer.echo(_("The database is up to date."))


@app.command()
def status() -> None:
    """Say whether the schema is the newest; exit code 1 if not."""
    engine = open_database(settings_from(os.environ))
    current = is_current(engine)
    engine.dispose()
    typer.echo(_("The database is up to date.") if current else _("The database is behind; run truestub db upgrade."))
    raise typer.Exit(0 if current else 1)
