"""The name of a Unix socket, also where its path is longer than the 107 bytes that the kernel takes."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.errors import SettingError
from backend.i18n import gettext as _

MAX_PATH_BYTES = 100  # sockaddr_un has 108 on Linux, 104 on macOS


@contextmanager
def unix_address(path: Path) -> Iterator[str]:
    """A string to bind or connect to, good inside the `with` block; `OSError` if the folder is not there."""
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield str(path)
        return
    if sys.platform != "linux":
        raise SettingError(str(path), _("is too long for a socket; choose a shorter TRUESTUB_DATA_DIR"))
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
