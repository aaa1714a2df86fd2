"""The processes and folders of the demo: real programs, started and talked to as a user would."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from backend.ops.supervise import die_with_parent

START_SECONDS = 30  # for a program to answer after its start
COMMAND_SECONDS = 60  # for one command
STOP_SECONDS = 30  # more than the platform takes to stop what it runs
MARK = ".truestub-demo"  # in a folder that a demo made


class DemoFailed(Exception):  # noqa: N818 - it says what happened to the demo
    """A step did not do what the story says; carries what to look at."""


class Stage:
    """One installation in `folder`: node, platform, wallets and a gate, each a program of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = _emptied(folder)
        self.node_port, self.web_port = _port(8545), _port(8080)
        self.url = f"http://127.0.0.1:{self.web_port}"
        self.node_url = f"http://127.0.0.1:{self.node_port}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("TRUESTUB_")},
            "TRUESTUB_DATA_DIR": str(folder / "platform"),
            "TRUESTUB_PUBLIC_URL": self.url,
            "TRUESTUB_WEB_PORT": str(self.web_port),
            "TRUESTUB_NODE_URLS": self.node_url,
            "TRUESTUB_FINALITY_BLOCKS": "2",
            "TRUESTUB_BATCH_WAIT_SECONDS": "1",
        }

    def truestub(self, *arguments: str) -> str:
        """Run an operator's command to its end; its output."""
        return self._run([sys.executable, "-m", "backend", *arguments])

    def wallet(self, name: str, *arguments: str) -> Any:  # noqa: ANN401 - JSON
        """Run a buyer's command; its JSON answer."""
        home = self.folder / f"wallet-{name}"
        passphrase = self.folder / f"wallet-{name}.passphrase"
        if not passphrase.exists():
            passphrase.write_text(f"demo passphrase of {name}\n")
            passphrase.chmod(0o600)
        command = [sys.executable, "-m", "wallet", "--home", str(home), "--passphrase-file", str(passphrase), "--json"]
        return _last_json(self._run([*command, *arguments]))

    def gate(self, *arguments: str, verdicts: bool = False) -> str:
        """Run a gate's command; its output. With `verdicts`, an exit code that means a refusal is not a failure."""
        command = [sys.executable, "-m", "verifier", "--data", str(self.folder / "gate"), *arguments]
        return self._run(command, verdicts=verdicts)

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a long-running operator's command; its output goes to a log file."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own programs
                [sys.executable, "-m", "backend", *arguments],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - only prctl
            )
        self._processes[name] = process
        return process

    def kill(self, name: str) -> None:
        """SIGKILL a process and everything it started."""
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """Stop everything, in reverse order; further Ctrl-C can't cut it short."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for name in reversed(list(self._processes)):
            process = self._processes.pop(name)
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """A GET of the platform's API."""
        request = urllib.request.Request(self.url + path, headers={"Accept": "application/json"})  # noqa: S310 - ours
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own loopback server
            return json.load(answer)

    def node_answers(self) -> bool:
        """Whether the chain node listens."""
        with socket.create_connection(("127.0.0.1", self.node_port), timeout=1):
            return True

    def wait_for(self, what: str, ready: Callable[[], Any], seconds: float = START_SECONDS) -> Any:  # noqa: ANN401
        """Ask `ready` until it answers something; errors count as not yet."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if found := ready():
                    return found
            except (OSError, ValueError, KeyError, DemoFailed) as error:
                last: object = error
            else:
                last = "not yet"
            dead = [name for name, process in self._processes.items() if process.poll() is not None]
            if time.monotonic() > deadline or dead:
                died = f"; ended: {', '.join(dead)}" if dead else ""
                raise DemoFailed(f"waited {seconds:.0f} s for {what} ({last}){died}; see {self.folder}/*.log")
            time.sleep(0.1)

    def _run(self, command: list[str], verdicts: bool = False) -> str:
        done = subprocess.run(  # noqa: S603 - our own programs
            command,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode and not (verdicts and done.stdout):
            raise DemoFailed(f"{' '.join(command[2:])} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout


def _emptied(folder: Path) -> TextIO:
    """The folder, new and empty, with a lock on it; only what a demo made is ever deleted."""
    mark = folder / MARK
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise DemoFailed(f"{folder} holds something that no demo made; choose another with --folder")
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    lock = mark.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DemoFailed(f"a demo is running in {folder}; stop it, or choose another with --folder") from None
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry != mark:
            entry.unlink()
    return lock


def _port(preferred: int) -> int:
    """The preferred loopback port, or a free one if somebody has it."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoFailed("no free port on 127.0.0.1")


def _last_json(text: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(text.strip().splitlines()[-1])
