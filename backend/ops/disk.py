"""How much room the disk has that our data folder is on. A database on another machine watches its own disk."""

import os
import shutil
from pathlib import Path

LOW_DISK_BYTES = 256 * 1024 * 1024  # time to make room: a sold-out arena with its bundles needs less
FULL_DISK_BYTES = 16 * 1024 * 1024  # a commit may fail at any moment


def free_bytes(folder: str | os.PathLike[str]) -> int | None:
    """What our user may still write there, or will once the folder is made; none if the system does not say."""
    path = Path(folder).absolute()
    for place in (path, *path.parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def is_full(folder: str | os.PathLike[str]) -> bool:
    """Whether there is too little room to rely on any write."""
    free = free_bytes(folder)
    return free is not None and free < FULL_DISK_BYTES
