"""Backups of everything an installation can't make again: the database and the signer's keys.

`make_backup` writes one sealed file (see `sealed_file`) with a checksum beside it, and keeps the newest few. The file
holds a tar: `manifest.json`, the database (`database.sqlite`, an online copy, or `database.dump` of pg_dump) and
`keys/`. It is complete and on disk when the call returns. What is in clear is in the data folder only (`scratch`). The
folder of backups sees sealed files alone, and random ids of people who were erased; a crash leaves at most one file
there, which the next run writes over.
"""

import hashlib
import json
import os
import shutil
import socket
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nacl.public import PrivateKey, PublicKey
from sqlalchemy import inspect
from sqlalchemy.engine import make_url

from backend.credentials.private_files import sync_folder
from backend.db.engine import is_missing, make_engine, read
from backend.db.tables.events import Platform
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.killpoints import reach
from backend.ops.postgres_tools import run_tool
from backend.ops.scratch import scratch_folder
from backend.ops.sealed_file import CHUNK_BYTES, SealedWriter, unseal
from backend.privacy import erased
from backend.settings import Settings

KEEP = 14  # backups kept; the oldest beyond that are removed
SUFFIX = ".truestub-backup"
NAMED_TABLES = 3  # where a restore finds some
_SQLITE_FILES = ("", "-wal", "-shm", "-journal")  # what is left in one of another database is applied to a new one


@dataclass(frozen=True, slots=True)
class Made:
    """What was written."""

    file: Path
    size_bytes: int
    sha256: str


def make_backup(settings: Settings, folder: Path, public_key: PublicKey, now: float, keep: int = KEEP) -> Made:
    """Write a backup into `folder` while the platform runs; `now` (Unix seconds) names it."""
    _require_installation(settings.database_url)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / (datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ") + SUFFIX)
    unfinished = folder / f".making-{socket.gethostname()}"  # one for each host that shares the folder
    with scratch_folder(settings.data_dir, "backup") as plain:
        _copy_database(settings, plain, now)
        reach("backup.copied")
        try:
            with unfinished.open("wb") as target:
                _seal(settings, plain, SealedWriter(target, public_key))
                target.flush()
                os.fsync(target.fileno())
            digest = _sha256(unfinished)
            reach("backup.sealed")
            _checksum_of(file).write_text(f"{digest}  {file.name}\n")
            reach("backup.summed")
            unfinished.rename(file)
        finally:
            unfinished.unlink(missing_ok=True)
        reach("backup.named")
        sync_folder(folder)
        erased.bring(settings.data_dir, folder)
        _rotate(folder, keep)
    return Made(file, file.stat().st_size, digest)


def unpack_backup(file: Path, private_key: PrivateKey, target: Path) -> dict[str, object]:
    """Open a backup into the empty folder `target`; its manifest. Nothing is left there if the file is not whole."""
    checksum = _checksum_of(file)
    if checksum.exists() and checksum.read_text().split()[:1] != [_sha256(file)]:
        raise refuse("damaged_backup", _("The backup does not match its checksum; take an older one."))
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(target.iterdir()):
        raise refuse("folder_not_empty", _("Restore into an empty folder; nothing was changed."))
    try:
        plain = target / "plain.tar"
        with file.open("rb") as source, plain.open("wb") as out:
            for piece in unseal(source, private_key):
                out.write(piece)
        with tarfile.open(plain) as tar:
            tar.extractall(target, filter="data")
        plain.unlink()
        manifest: dict[str, object] = json.loads((target / "manifest.json").read_text())
    except BaseException:
        shutil.rmtree(target)
        raise
    return manifest


def require_empty(database_url: str) -> None:
    """Refuse (`database_exists`) where there is anything that a restore could write over or be mixed with."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        found = [str(path) for end in _SQLITE_FILES if (path := Path(f"{url.database}{end}")).exists()]
    else:
        found = _tables(database_url)[:NAMED_TABLES]
    if found:
        sentence = _("There is a database already; move it away first, or name an empty one: %s. Nothing was changed.")
        raise refuse("database_exists", sentence % ", ".join(found))


def restore_database(unpacked: Path, database_url: str, also: str = "") -> None:
    """Put an unpacked database where `database_url` says, whole or not at all; refuses to write over one that is there.

    `also`: SQL for PostgreSQL's transaction. A copy of SQLite is a file that the caller may change beforehand.
    """
    require_empty(database_url)
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        place = Path(url.database or "")
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _put(unpacked / "database.sqlite", place)
        return
    script, more = unpacked / "database.sql", unpacked / "also.sql"
    # By way of a file: psql at a pipe's end would commit what a killed pg_restore had sent until then.
    run_tool(None, "pg_restore", "--no-owner", f"--file={script}", str(unpacked / "database.dump"))
    more.write_text(also)
    once = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--output=/dev/null")
    run_tool(database_url, "psql", *once, f"--file={script}", f"--file={more}")


def _put(file: Path, place: Path) -> None:
    """Copy a file to another disk, there at once and whole."""
    partial = place.with_name(f".{place.name}.partial")
    try:
        with file.open("rb") as source, partial.open("wb") as target:
            partial.chmod(0o600)
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        partial.rename(place)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(place.parent)


def _require_installation(database_url: str) -> None:
    """Backups of nothing would push the good ones out of their folder."""
    if is_missing(database_url) or Platform.__tablename__ not in _tables(database_url):
        sentence = _(
            "There is no installation in the database at TRUESTUB_DATABASE_URL: correct it. Nothing was written."
        )
        raise refuse("no_installation", sentence)


def _tables(database_url: str) -> list[str]:
    engine = make_engine(database_url)
    try:
        with read(engine) as connection:
            return inspect(connection).get_table_names()
    finally:
        engine.dispose()


def _copy_database(settings: Settings, plain: Path, now: float) -> None:
    """A copy as of one moment, whoever writes the while, and what is to be known of it."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        copy_sqlite(Path(url.database or ""), plain / "database.sqlite")
    else:
        run_tool(settings.database_url, "pg_dump", "--format=custom", f"--file={plain / 'database.dump'}")
    (plain / "manifest.json").write_text(json.dumps({"made_at": int(now), "engine": url.get_backend_name()}))


def copy_sqlite(source: Path, target: Path) -> None:
    """A copy of a database that others write, as of one moment."""
    # All pages in one step, under one read transaction: with pauses it would begin anew after each writer's commit.
    live_uri = f"{source.resolve().as_uri()}?mode=rw"  # never makes an empty one
    with closing(sqlite3.connect(live_uri, uri=True)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)


def _seal(settings: Settings, plain: Path, sealed: SealedWriter) -> None:
    with tarfile.open(fileobj=sealed, mode="w|", bufsize=CHUNK_BYTES) as tar:
        for path in sorted(plain.iterdir()):
            tar.add(path, path.name)
        reach("backup.sealing")
        if settings.keys_dir.exists():
            tar.add(settings.keys_dir, "keys")
    sealed.finish()


def _checksum_of(file: Path) -> Path:
    return file.with_name(file.name + ".sha256")


def _rotate(folder: Path, keep: int) -> None:
    for old in sorted(folder.glob(f"*{SUFFIX}"), reverse=True)[keep:]:
        old.unlink()
        _checksum_of(old).unlink(missing_ok=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
