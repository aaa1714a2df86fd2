"""Files that are whole or not there, and that only their owner reads."""

import errno
import os
import secrets
from pathlib import Path

from wallet.errors import WalletError
from wallet.i18n import gettext as _


def private_folder(path: Path) -> Path:
    """Make the folder, for its owner only; one that is there keeps its rights."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None
    return path


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not be there yet; `FileExistsError` if it is. Durable on return."""
    draft = _draft(path, data, 0o600)
    try:
        os.link(draft, path)  # unlike a rename, never replaces
    except FileExistsError:
        raise
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write or replace a file: a reader sees the old bytes or the new ones. Durable on return."""
    draft = _draft(path, data, mode)
    try:
        draft.replace(path)
    except OSError as error:
        draft.unlink()
        raise cannot_write(path, error) from None
    _sync_folder(path.parent)


def cannot_write(path: Path, error: OSError) -> WalletError:
    """The error to raise when the system refused to write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WalletError("disk_full", _("No space is left to write %s. Make room and try again.") % path)
    reason = error.strerror or str(error)
    return WalletError("cannot_write", _("%(path)s can't be written (%(reason)s).") % {"path": path, "reason": reason})


def _draft(path: Path, data: bytes, mode: int) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        draft.unlink()
        raise cannot_write(path, error) from None
    return draft


def _sync_folder(folder: Path) -> None:
    """A new name is durable once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
