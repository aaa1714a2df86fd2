"""`truestub init`: everything an installation needs before its first start."""

import os

import typer

from backend.chain.keys import ensure_chain_keys
from backend.db.migrate import upgrade
from backend.i18n import gettext as _
from backend.sales.installation import ensure_platform, installation_secret
from backend.settings import settings_from
from backend.wiring import open_database


def init() -> None:
    """Make the database, the platform's id, its secret and its chain keys; leaves alone what is there."""
    settings = settings_from(os.environ)
    installation_secret(settings.keys_dir)
    ensure_chain_keys(settings)
    engine = open_database(settings)
    upgrade(engine)
    with engine.begin() as connection:
        platform = ensure_platform(connection)
    engine.dispose()
    typer.echo(_("Ready in %(folder)s; platform %(id)s") % {"folder": settings.data_dir, "id": platform.hex()})
