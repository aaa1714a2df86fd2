"""A real signer process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from backend.credentials.signer_client import SignerClient
from backend.errors import Refused
from backend.ops.supervise import die_with_parent

START_SECONDS = 30


class SignerProcess:
    """`truestub signer run` on a data folder and a database."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder, self.database_url = folder, database_url
        self.socket = folder / "signer.sock"
        self.client = SignerClient(self.socket)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, kill_at: str = "") -> "SignerProcess":
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TRUESTUB_")}
        environ |= {
            "TRUESTUB_DATA_DIR": str(self.folder),
            "TRUESTUB_DATABASE_URL": self.database_url,
            "TRUESTUB_KILL_AT": kill_at,
        }
        with (self.folder / "signer.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backend", "signer", "run"],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - only prctl
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        return self

    def wait(self) -> int:
        assert self._process
        return self._process.wait(START_SECONDS)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self.wait()

    def log(self) -> str:
        return (self.folder / "signer.log").read_text()

    def _answers(self) -> bool:
        try:
            self.client.ping()
        except Refused:
            return False
        return True
