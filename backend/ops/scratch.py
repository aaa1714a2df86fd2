"""A folder for what must lie in clear while something is made of it: in the data folder, beside the keys.

Nothing in clear is ever written elsewhere: where backups are kept may be a share that others read.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.credentials.private_files import make_private_folder
from backend.errors import refuse
from backend.i18n import gettext as _


@contextmanager
def scratch_folder(data_dir: Path, purpose: str) -> Iterator[Path]:
    """An empty folder that its owner alone can read, for one process at a time; emptied again in the end.

    What a killed process left there is gone with the next one. The folder itself stays: it is what is locked.
    """
    folder = data_dir / f".{purpose}"
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_private_folder(folder)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sentence = _("Another truestub %s is under way; let it end first. Nothing was changed.")
            raise refuse("runs_already", sentence % purpose) from None
        _empty(folder)
        try:
            yield folder
        finally:
            _empty(folder)
    finally:
        os.close(handle)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
