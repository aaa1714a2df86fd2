"""Small secrets in files of their own, readable by their owner only.

Promises: a file appears whole and on disk, or not at all; an existing one is never replaced, so two processes that make
the same secret end up with the same one; nothing is read from a file that others may read.
"""

import os
import secrets
from pathlib import Path

from backend.errors import SettingError
from backend.i18n import gettext as _
from backend.killpoints import reach
from backend.settings import require_private

MAX_SECRET_FILE_BYTES = 4096
_TEMPORARY = ".new-"


def make_private_folder(folder: Path) -> None:
    """Make `folder`, readable by its owner only; `SettingError` if it is there and others may read it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_private(folder)


def create_private(path: Path, content: str) -> bool:
    """Write a new file, durably; False, changing nothing, if `path` is there already."""
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        reach("keystore.written")
        try:
            # A link, not a rename: a rename would replace a key that another process has just handed out.
            os.link(temporary, path)
        except FileExistsError:
            return False
    finally:
        temporary.unlink()
    sync_folder(path.parent)
    reach("keystore.linked")
    return True


def read_private(path: Path) -> str:
    """The file's text; `SettingError` if it is missing, too wide open, or no text of ours."""
    if not path.is_file():
        raise SettingError(str(path), _("is missing; restore it from your backup, or run truestub init"))
    require_private(path)
    content = path.read_bytes()
    if len(content) > MAX_SECRET_FILE_BYTES or not content.isascii():
        raise unreadable(path)
    return content.decode("ascii")


def unreadable(path: Path) -> SettingError:
    """What to raise for a file whose content is not what it should be. Says nothing of the content."""
    return SettingError(str(path), _("is damaged; restore it from your backup"))


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
