"""`truestub drill`: prove that the newest backup can be put back. Run it on a schedule, where the private key is."""

import os
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.backup import backup_folder, read_key
from backend.i18n import gettext as _
from backend.ops.drill import drill as try_it
from backend.ops.drill import newest_backup
from backend.settings import settings_from


def drill(
    key: Annotated[Path, typer.Option(help="the private key's file", exists=True, dir_okay=False)],
    file: Annotated[Path | None, typer.Option(help="the backup; by default the newest")] = None,
    folder: Annotated[Path | None, typer.Option("--from", help="the folder with backups")] = None,
    scratch: Annotated[
        str | None, typer.Option(help="a PostgreSQL server's address; a database is made there, and dropped")
    ] = None,
) -> None:
    """Restore a backup into a scratch place and check every promise; exit code 1 if one is broken."""
    settings = settings_from(os.environ)
    found = try_it(file or newest_backup(backup_folder(settings, folder)), read_key(key), settings.data_dir, scratch)
    counts = "  ".join(f"{name} {count}" for name, count in found.checked.counts.items())
    typer.echo(f"{found.file.name}: {counts}")
    for problem in found.checked.problems:
        typer.echo(problem)
    broken = bool(found.checked.problems)
    typer.echo(_("A promise is broken; see above.") if broken else _("This backup is whole: every promise holds."))
    raise typer.Exit(1 if broken else 0)
