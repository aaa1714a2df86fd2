"""The records on disk: one SQLite file, every record encrypted under a key of the seed (SPEC 4.6).

SQLite makes a write whole and durable across a power cut; the secretbox makes it unreadable and unalterable. A record's
kind and key are inside its seal, so that one can't be passed off as another.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from pydantic import ValidationError

from wallet.errors import WalletError
from wallet.files import cannot_write
from wallet.i18n import gettext as _
from wallet.records import Record

SCHEMA_VERSION = 1
BUSY_SECONDS = 5.0  # how long to wait for another process to finish its write
_NAME_BYTES = 16

R = TypeVar("R", bound=Record)


class Store:
    """Records of one wallet. Each `put` is durable when it returns. Any number of processes may share the file."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open or make the file; `key` is 32 bytes from `wallet.keys.store_key`."""
        self._path = path
        self._key = key
        self._box = SecretBox(key)
        with self._explained():
            _make_private(path)
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            self._open_schema()

    def close(self) -> None:
        self._db.close()

    def put(self, record: Record) -> None:
        """Write or replace one record."""
        content = json.dumps({"kind": record.kind, "key": record.key, "value": record.model_dump(mode="json")})
        row = (record.kind, self._name(record.kind, record.key), bytes(self._box.encrypt(content.encode())))
        with self._explained():
            self._db.execute("INSERT OR REPLACE INTO records (kind, name, sealed) VALUES (?, ?, ?)", row)

    def get(self, record_type: type[R], key: str) -> R | None:
        """The record, or none."""
        name = self._name(record_type.kind, key)
        with self._explained():
            row = self._db.execute(
                "SELECT sealed FROM records WHERE kind = ? AND name = ?", (record_type.kind, name)
            ).fetchone()
        return None if row is None else self._unseal(record_type, name, row[0])

    def all(self, record_type: type[R]) -> list[R]:
        """Every record of a kind, in no order."""
        with self._explained():
            rows = self._db.execute("SELECT name, sealed FROM records WHERE kind = ?", (record_type.kind,)).fetchall()
        return [self._unseal(record_type, name, sealed) for name, sealed in rows]

    def _name(self, kind: str, key: str) -> bytes:
        """A name that tells nothing to who reads the file without its key."""
        return hashlib.blake2b(f"{kind}/{key}".encode(), key=self._key, digest_size=_NAME_BYTES).digest()

    def _unseal(self, record_type: type[R], name: bytes, sealed: bytes) -> R:
        try:
            content = json.loads(self._box.decrypt(sealed))
            if self._name(content["kind"], content["key"]) == name and content["kind"] == record_type.kind:
                return record_type.model_validate_json(json.dumps(content["value"]))
        except (CryptoError, ValidationError):
            pass
        raise _damaged(self._path)

    def _open_schema(self) -> None:
        self._db.execute("PRAGMA synchronous = EXTRA")  # durable across a power cut, the journal's removal too
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise WalletError("wallet_too_new", _("This wallet was made by a newer version. Update truestub-wallet."))
        if version == 0:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS records (kind TEXT NOT NULL, name BLOB NOT NULL, sealed BLOB NOT NULL,"
                " PRIMARY KEY (kind, name)) WITHOUT ROWID"
            )
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._db.execute("COMMIT")
        if self._db.execute("PRAGMA quick_check").fetchone() != ("ok",):  # a cut file may look like fewer records
            raise _damaged(self._path)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in words what SQLite or the system refused."""
        try:
            yield
        except OSError as error:
            raise cannot_write(self._path, error) from None
        except sqlite3.Error as error:
            raise _explain(self._path, error) from None


def _explain(path: Path, error: sqlite3.Error) -> WalletError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one
    if code == sqlite3.SQLITE_FULL:
        return WalletError("disk_full", _("No space is left to write %s. Make room and try again.") % path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return WalletError("wallet_busy", _("Another program is using this wallet. Wait for it, or close it."))
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path)
    return WalletError("cannot_write", _("%(path)s can't be written (%(reason)s).") % {"path": path, "reason": error})


def _damaged(path: Path) -> WalletError:
    return WalletError(
        "store_damaged",
        _(
            "%s is damaged, or belongs to another recovery phrase. Put a copy of it back; or move it away, "
            "then bring your tickets back with `truestub-wallet restore`."
        )
        % path,
    )


def _make_private(path: Path) -> None:
    """Created by us, so that it is never readable by others, not even for a moment."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
