"""`truestub restore`: put a backup back, with sales closed."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.backup import keep_public_key, read_key
from backend.i18n import gettext as _
from backend.ops.restore import restore as put_back
from backend.settings import settings_from


def restore(
    file: Annotated[Path, typer.Argument(help="the backup", exists=True, dir_okay=False)],
    key: Annotated[Path, typer.Option(help="the private key's file", exists=True, dir_okay=False)],
) -> None:
    """Restore database and keys where there are none; sales stay closed until `truestub reconcile`."""
    settings, private = settings_from(os.environ), read_key(key)
    manifest = put_back(settings, file, private)
    keep_public_key(settings, private)
    made = datetime.fromtimestamp(int(str(manifest["made_at"])), UTC).isoformat()
    typer.echo(_("Restored as of %s. Sales are closed; now run: truestub reconcile") % made)
