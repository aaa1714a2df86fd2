"""A whole installation of real processes on loopback, for tests that kill some of them."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from backend.ops.supervise import die_with_parent
from tests.support.postgres import free_port

WAIT_SECONDS = 60
COMMAND_SECONDS = 300  # ends what hangs
POLL_SECONDS = 0.05
CROWD = {  # a whole crowd buys from this machine: the limits are on, and high
    f"TRUESTUB_{name}": "1000000"
    for name in ("HOLDS_PER_SECOND", "UNPAID_HOLDS", "PLACES_PER_HOUR", "LOOKUPS_PER_HOUR")
}


class Installation:
    """Folders, settings and processes of one platform. Every process logs to `<name>.log` in `folder`."""

    def __init__(self, folder: Path, database_url: str = "", **settings: str) -> None:
        self.folder = folder
        self.node_port, self.web_port = free_port(), free_port()
        self.node_url = f"http://127.0.0.1:{self.node_port}"
        self.url = f"http://127.0.0.1:{self.web_port}"
        self.database_url = database_url or f"sqlite:///{folder}/platform/truestub.sqlite"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TRUESTUB_")},
            "TRUESTUB_DATA_DIR": str(folder / "platform"),
            "TRUESTUB_DATABASE_URL": self.database_url,
            "TRUESTUB_PUBLIC_URL": self.url,
            "TRUESTUB_WEB_PORT": str(self.web_port),
            "TRUESTUB_NODE_URLS": self.node_url,
            "TRUESTUB_FINALITY_BLOCKS": "2",
            "TRUESTUB_BATCH_WAIT_SECONDS": "0",
            **CROWD,
            **settings,
        }

    def run(self, *arguments: str) -> str:
        """An operator's command, to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "backend", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout

    def start(self, name: str, *arguments: str, kill_at: str = "") -> subprocess.Popen[bytes]:
        """A long-running command; with `kill_at` it dies by SIGKILL at that named place."""
        environ = {**self.environ, **({"TRUESTUB_KILL_AT": kill_at} if kill_at else {})}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend", *(arguments or (name,))],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - only prctl
            )
        self.processes[name] = process
        return process

    def kill(self, name: str) -> None:
        """SIGKILL, for the process and all it started."""
        process = self.processes.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        for name in reversed(list(self.processes)):
            self.kill(name)

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=10)

    def web_answers(self) -> bool:
        try:
            return httpx.get(self.url + "/healthz", timeout=1).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]


def wait_until(ready: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
    """Poll until `ready` answers something true; an assertion names what was waited for."""
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(POLL_SECONDS)
    return found


def doors_open(text: str) -> str:
    """An event file as if doors had opened an hour ago: batches close within a second then."""
    doors = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    times = dict.fromkeys(("freeze", "doors", "until"), doors)
    times |= {"starts": doors + timedelta(hours=2), "ends": doors + timedelta(hours=6)}
    for key, value in times.items():
        text = re.sub(rf"^{key} *=.*$", f"{key} = {value.isoformat()}", text, flags=re.MULTILINE)
    return text
