"""`truestub backup`: encrypted copies of the database and the keys."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from nacl.encoding import HexEncoder
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey

from backend.credentials.private_files import create_private, read_private
from backend.db.tables.upkeep import BACKUP
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.ops.backup import KEEP, make_backup
from backend.ops.upkeep import booked
from backend.settings import Settings, settings_from

PUBLIC_FILE = "backup-public-key"  # in the data folder; the private one is kept elsewhere
FOLDER = "backups"

app = typer.Typer(help="Make an encrypted backup of the database and the keys.", invoke_without_command=True)


@app.callback()
def backup(
    context: typer.Context,
    to: Annotated[
        Path | None, typer.Option(help="the folder; by default backups in the data folder", file_okay=False)
    ] = None,
    keep: Annotated[int, typer.Option(help="how many are kept", min=1)] = KEEP,
) -> None:
    """Make a backup while the platform runs, and keep the newest few."""
    if context.invoked_subcommand is not None:
        return
    settings = settings_from(os.environ)
    with booked(settings, BACKUP, typer.echo):
        made = make_backup(settings, backup_folder(settings, to), _public_key(settings), time.time(), keep)
    typer.echo(_("%(file)s, %(size)d bytes") % {"file": made.file, "size": made.size_bytes})


@app.command("key")
def make_key(
    file: Annotated[Path, typer.Argument(help="where the private key is written; keep it offline")],
) -> None:
    """Make the key that backups are opened with. The host keeps the public half alone."""
    settings = settings_from(os.environ)
    place = settings.data_dir / PUBLIC_FILE
    if place.exists():
        sentence = _("There is a backup key already; move %s away to make another. Nothing was changed.")
        raise refuse("key_exists", sentence % place)
    key = PrivateKey.generate()
    if not create_private(file, key.encode(HexEncoder).decode() + "\n"):
        raise refuse("file_exists", _("There is a file %s already; nothing was changed.") % file)
    keep_public_key(settings, key)
    typer.echo(_("Take %s to a safe place off this host: without it no backup can be opened.") % file)


def keep_public_key(settings: Settings, key: PrivateKey) -> None:
    """Keep what backups are sealed for, unless another is kept already."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    create_private(settings.data_dir / PUBLIC_FILE, key.public_key.encode(HexEncoder).decode() + "\n")


def backup_folder(settings: Settings, to: Path | None) -> Path:
    """Where backups are."""
    return to or settings.data_dir / FOLDER


def read_key(file: Path) -> PrivateKey:
    """The private key that backups are opened with."""
    try:
        return PrivateKey(bytes.fromhex(read_private(file).strip()))
    except (ValueError, TypeError, CryptoError):
        raise refuse("bad_backup_key", _("%s is not a backup key.") % file) from None


def _public_key(settings: Settings) -> PublicKey:
    try:
        return PublicKey(bytes.fromhex((settings.data_dir / PUBLIC_FILE).read_text().strip()))
    except FileNotFoundError:
        raise refuse("no_backup_key", _("Make a key first: truestub backup key FILE")) from None
    except (ValueError, TypeError):
        raise refuse("bad_backup_key", _("%s is not a backup key.") % PUBLIC_FILE) from None
