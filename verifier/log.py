"""The admission log: an append-only file that is the truth about who was let in (SPEC 7).

Promises: a record is on the disk when `record` returns; a crash at any instant loses nothing that was acknowledged; a
damaged log is refused, never shortened. One process at a time (the caller holds the lock); not for several threads.
"""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from verifier.errors import GateError
from verifier.files import replace_file, write_all
from verifier.i18n import gettext as _
from verifier.records import LOG_ID_BYTES, Contents, Damaged, Record, append, new_header, read_log
from verifier.verdict import Admission
from verifier.witness import Witness, contradicts

NO_SERIALS: Mapping[bytes, int] = MappingProxyType({})
Key = tuple[bytes, int]


class NotRecordedError(Exception):
    """The record is not in the log: no space, or a disk that fails. Nothing of it is left behind."""


class Index:
    """What the log says, by event and token. Rebuilt from the log whenever it is opened."""

    def __init__(self) -> None:
        self.admissions: dict[Key, Admission] = {}
        self._serials: dict[Key, dict[bytes, int]] = {}

    def add(self, record: Record) -> None:
        key = (record.event_tag, record.token_id)
        if isinstance(record, Admission):
            self.admissions.setdefault(key, record)
        if any(record.key_id):  # a compact code names no issuing key, and no serial the bundle does not have
            serials = self._serials.setdefault(key, {})
            serials[record.key_id] = max(record.serial, serials.get(record.key_id, 0))

    def admission(self, event_tag: bytes, token_id: int) -> Admission | None:
        return self.admissions.get((event_tag, token_id))

    def seen_serials(self, event_tag: bytes, token_id: int) -> Mapping[bytes, int]:
        return self._serials.get((event_tag, token_id), NO_SERIALS)


def create_log(path: Path) -> None:
    """An empty log, durable on return. `FileExistsError` if there is one."""
    if path.exists():
        raise FileExistsError(path)
    replace_file(path, new_header(os.urandom(LOG_ID_BYTES)), 0o600)


class AdmissionLog:
    """Open with `AdmissionLog.open(path)`; `index` answers what a check asks (`state.Memory`).

    `shortened`: the log lacks records that it had (`witness`); a warning, which nothing waits for.
    """

    def __init__(self, descriptor: int, contents: Contents, witness: Witness, shortened: bool) -> None:
        self._descriptor = descriptor
        self._witness = witness
        self.shortened = shortened
        self._size = contents.good_bytes
        self._head = contents.head
        self._broken = False
        self.index = Index()
        for record in contents.records:
            self.index.add(record)

    @classmethod
    def open(cls, path: Path) -> "AdmissionLog":
        """Take the log up where it ended, leaving out a write that was cut short.

        `GateError("log_damaged")` if an acknowledged record can't be read, `GateError("log_missing")` if there is no
        log: a gate that has forgotten everything must not begin anew by itself.
        """
        contents = read_contents(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        if os.fstat(descriptor).st_size > contents.good_bytes:
            os.ftruncate(descriptor, contents.good_bytes)
            flush(descriptor)
        return cls(descriptor, contents, Witness(path), contradicts(path, contents.good_bytes))

    def record(self, record: Record) -> None:
        """Make a record durable, then known. `NotRecordedError` if that can't be done; then nothing was."""
        if self._broken:
            raise NotRecordedError
        data, head = append(self._head, record)
        try:
            write_all(self._descriptor, data)
        except OSError as error:
            self._undo()
            raise NotRecordedError from error
        try:
            flush(self._descriptor)
        except OSError as error:
            self._broken = True  # after a failed flush the system may have dropped what it says it holds
            self._undo()
            raise NotRecordedError from error
        self._size += len(data)
        self._head = head
        if not self.shortened:  # else the mark stays, and with it the warning
            self._witness.reached(self._size, head)
        self.index.add(record)

    def close(self) -> None:
        os.close(self._descriptor)
        self._witness.close()

    def _undo(self) -> None:
        """Take back a write that failed half-way, or stop writing at all: what follows it would be unreadable."""
        try:
            os.ftruncate(self._descriptor, self._size)
            flush(self._descriptor)
        except OSError:
            self._broken = True


def read_contents(path: Path) -> Contents:
    """What the log holds, without changing it. `GateError` as `AdmissionLog.open`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise GateError(
            "log_missing",
            _(
                "The admission log {path} is gone, and with it whom this gate let in. Restore it, or use another gate."
            ).format(path=path),
        ) from None
    contents = read_log(data)
    if isinstance(contents, Damaged):
        raise GateError(
            "log_damaged",
            _(
                "The admission log {path} is damaged at byte {at}: this gate no longer knows whom it let in. "
                "Do not delete the file. Use another gate, and give the file to the operator."
            ).format(path=path, at=contents.at),
        )
    return contents


def flush(descriptor: int) -> None:
    """To the disk itself, not only to its cache, where the system can tell the two apart."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)
