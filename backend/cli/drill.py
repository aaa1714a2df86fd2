"""`truestub drill`: prove that the newest backup can be put back. Run it on a schedule, where the private key is."""

import os
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.backup import backup_folder, read_key
from backend.db.tables.upkeep import DRILL
from backend.i18n import gettext as _
from backend.ops.drill import drill as try_it
from backend.ops.drill import newest_backup
from backend.ops.upkeep import booked
from backend.settings import settings_from


def drill(
    key: Annotated[Path, typer.Option(help="the private key's file", exists=True, dir_okay=False)],
    file: Annotated[Path | None, typer.Option(help="the backup; by default the newest")] = None,
    folder: Annotated[Path | None, typer.Option("--from", help="the folder with backups", file_okay=False)] = None,
    scratch: Annotated[
        str | None, typer.Option(help="a PostgreSQL server's address; a database is made there, and dropped")
    ] = None,
) -> None:
    """Restore a backup into a scratch place and check every promise; exit code 1 if one is broken."""
    settings = settings_from(os.environ)
    with booked(settings, DRILL, typer.echo) as problems:
        newest = file or newest_backup(backup_folder(settings, folder))
        found = try_it(newest, read_key(key), settings.data_dir, scratch)
        problems.extend(found.checked.problems)
    counts = "  ".join(f"{name} {count}" for name, count in found.checked.counts.items())
    typer.echo(f"{found.file.name}: {counts}")
    for problem in problems:
        typer.echo(problem)
    typer.echo(_("A promise is broken; see above.") if problems else _("This backup is whole: every promise holds."))
    raise typer.Exit(1 if problems else 0)
