"""Backups of everything an installation can't make again: the database and the signer's keys.

`make_backup` writes one sealed file (see `sealed_file`) with a checksum beside it, and keeps the newest few. The file
holds a tar: `manifest.json`, the database (`database.sqlite`, an online copy, or `database.dump` of pg_dump) and
`keys/`. It is complete and on disk when the call returns; a crash leaves at most a temporary file behind.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

from nacl.public import PrivateKey, PublicKey
from sqlalchemy.engine import URL, make_url

from backend.errors import refuse
from backend.i18n import gettext as _
from backend.ops.sealed_file import seal, unseal
from backend.settings import Settings

KEEP = 14  # backups kept; the oldest beyond that are removed
DUMP_SECONDS = 3600  # for pg_dump and pg_restore
SUFFIX = ".truestub-backup"
_COPY_PAGES = 4096  # of SQLite, between which writers get their turn


@dataclass(frozen=True, slots=True)
class Made:
    """What was written."""

    file: Path
    size_bytes: int
    sha256: str


def make_backup(settings: Settings, folder: Path, public_key: PublicKey, now: float, keep: int = KEEP) -> Made:
    """Write a backup into `folder` while the platform runs; `now` (Unix seconds) names it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ") + SUFFIX
    with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
        plain = Path(scratch) / "plain.tar"
        _collect(settings, Path(scratch), plain, now)
        sealed = Path(scratch) / name
        with plain.open("rb") as source, sealed.open("wb") as target:
            seal(source, target, public_key)
            target.flush()
            os.fsync(target.fileno())
        digest = _sha256(sealed)
        sealed.rename(folder / name)
    (folder / f"{name}.sha256").write_text(f"{digest}  {name}\n")
    _sync_folder(folder)
    _rotate(folder, keep)
    file = folder / name
    return Made(file, file.stat().st_size, digest)


def unpack_backup(file: Path, private_key: PrivateKey, target: Path) -> dict[str, object]:
    """Open a backup into the empty folder `target`; its manifest. Nothing is left there if the file is not whole."""
    checksum = file.with_name(file.name + ".sha256")
    if checksum.exists() and checksum.read_text().split()[0] != _sha256(file):
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


def restore_database(unpacked: Path, database_url: str, also: str = "") -> None:
    """Put an unpacked database where `database_url` says, whole or not at all; refuses to write over one that is there.

    `also`: SQL for PostgreSQL's transaction. A copy of SQLite is a file that the caller may change beforehand.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        place = Path(url.database or "")
        if place.exists():
            raise refuse("database_exists", _("There is a database already; move it away first. Nothing was changed."))
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _put(unpacked / "database.sqlite", place)
        return
    script, more = unpacked / "database.sql", unpacked / "also.sql"
    # By way of a file: psql at a pipe's end would commit what a killed pg_restore had sent until then.
    _run(None, "pg_restore", "--no-owner", f"--file={script}", str(unpacked / "database.dump"))
    more.write_text(also)
    once = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--output=/dev/null")
    _run(database_url, "psql", *once, f"--file={script}", f"--file={more}")


def _put(file: Path, place: Path) -> None:
    """Copy a file to another disk, there at once and whole."""
    partial = place.with_name(f".{place.name}.partial")
    with file.open("rb") as source, partial.open("wb") as target:
        partial.chmod(0o600)
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
    partial.rename(place)
    _sync_folder(place.parent)


def _collect(settings: Settings, scratch: Path, plain: Path, now: float) -> None:
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        database = scratch / "database.sqlite"
        _copy_sqlite(Path(url.database or ""), database)
    else:
        database = scratch / "database.dump"
        _run(settings.database_url, "pg_dump", "--format=custom", f"--file={database}")
    manifest = scratch / "manifest.json"
    manifest.write_text(json.dumps({"made_at": int(now), "engine": url.get_backend_name()}))
    with tarfile.open(plain, "w") as tar:
        tar.add(manifest, "manifest.json")
        tar.add(database, database.name)
        if settings.keys_dir.exists():
            tar.add(settings.keys_dir, "keys")


def _copy_sqlite(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as live, sqlite3.connect(target) as copy:
        live.backup(copy, pages=_COPY_PAGES)
    live.close()
    copy.close()


def _run(database_url: str | None, tool: str, *arguments: str) -> None:
    """Run a PostgreSQL tool, on a database if one is named. A password goes by the environment: `ps` shows none."""
    program = shutil.which(tool) or str(next(_installed(tool), tool))
    command, environ = [program, *arguments], dict(os.environ)
    if database_url is not None:
        url = make_url(database_url)
        command.append(f"--dbname={libpq_url(url)}")
        environ |= {"PGPASSWORD": str(url.password)} if url.password else {}
    try:
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own tools
            command, env=environ, capture_output=True, text=True, timeout=DUMP_SECONDS, check=False
        )
    except FileNotFoundError as error:
        sentence = _("%s is not installed; it comes with PostgreSQL's client.") % tool
        raise refuse("tool_missing", sentence) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["?"]
        raise refuse("dump_failed", _("%(tool)s failed: %(error)s") % {"tool": tool, "error": lines[-1]})


def libpq_url(url: URL) -> str:
    """As PostgreSQL's own tools want it, without a password: several hosts stand before the path, with commas."""
    plain = url.set(drivername="postgresql")._replace(password=None)  # `set` takes none for "leave it"
    hosts = plain.query.get("host")
    if not isinstance(hosts, tuple):
        return plain.render_as_string()
    user = f"{quote(plain.username, safe='')}@" if plain.username else ""
    rest = {name: str(value) for name, value in plain.query.items() if name != "host"}
    return f"postgresql://{user}{','.join(hosts)}/{plain.database or ''}" + (f"?{urlencode(rest)}" if rest else "")


def _installed(program: str) -> Iterator[Path]:
    yield from sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)


def _rotate(folder: Path, keep: int) -> None:
    for old in sorted(folder.glob(f"*{SUFFIX}"), reverse=True)[keep:]:
        old.unlink()
        old.with_name(old.name + ".sha256").unlink(missing_ok=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
