"""A backup and a drill as steps of a process of their own, which a test kills: modules that cost no import to fork."""

import time
from pathlib import Path

from nacl.public import PrivateKey

from backend.errors import Refused
from backend.ops.backup import Made, make_backup
from backend.ops.drill import Drilled, drill, newest_backup
from backend.settings import Settings

AGAIN_SECONDS = 60  # PostgreSQL needs a moment to see that a killed drill has let go of its lock


def back_up(settings: Settings, folder: Path, private_key: bytes, now: float) -> Made:
    """Into `folder`, under the name of that second."""
    return make_backup(settings, folder, PrivateKey(private_key).public_key, now)


def drill_newest(settings: Settings, folder: Path, private_key: bytes, server_url: str | None) -> Drilled:
    """The newest of `folder`."""
    deadline = time.monotonic() + AGAIN_SECONDS
    while True:
        try:
            return drill(newest_backup(folder), PrivateKey(private_key), settings.data_dir, server_url)
        except Refused as refused:
            if refused.refusal.code != "runs_already" or time.monotonic() > deadline:
                raise
        time.sleep(0.05)
