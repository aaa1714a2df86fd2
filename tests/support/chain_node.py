"""A real chain node for tests: started as the platform starts it, killed, stopped, woken and restored."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.chain.node import anvil_command, save_state
from backend.chain.rpc import Node, NodeError
from backend.chain.transport import Transport
from backend.ops.supervise import die_with_parent
from tests.support import processes
from tests.support.postgres import free_port

START_SECONDS = 20
CHAIN_ID = 31337


class ChainNode:
    """One node on a port that stays its own through restarts."""

    def __init__(self, finality_blocks: int = 2, flags: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = Path(tempfile.mkdtemp(prefix="truestub-anvil-"))
        self._finality, self._flags = finality_blocks, flags
        self._transport = Transport()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, load: Path | None = None, flags: tuple[str, ...] = ()) -> "ChainNode":
        command = anvil_command(self.port, CHAIN_ID, self._finality, load)
        if "--no-mining" in flags:
            place = command.index("--block-time")
            del command[place : place + 2]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._flags, *flags],
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - only prctl
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.call("eth_chainId")
            except NodeError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()[-2000:]) from None
                time.sleep(0.02)
            else:
                return self

    @property
    def node(self) -> Node:
        """A fresh client, whose breaker has seen nothing."""
        return Node(self.url, self._transport)

    def call(self, method: str, *params: object) -> Any:
        return self.node.call(method, *params, deadline_seconds=30)

    def mine(self, blocks: int = 1) -> None:
        self.call("anvil_mine", hex(blocks))

    @property
    def height(self) -> int:
        return int(self.call("eth_blockNumber"), 16)

    @property
    def cpu_seconds(self) -> float:
        """What the node's process has used so far, of all cores."""
        assert self._process
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def save(self, name: str) -> Path:
        path = self.folder / name
        save_state(self.node, path)
        return path

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def hang(self) -> None:
        """SIGSTOP: connections are accepted by the kernel, nobody answers."""
        assert self._process
        processes.stop(self._process.pid)

    def wake(self) -> None:
        assert self._process
        processes.wake(self._process.pid)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Hangs meanwhile."""
        self.hang()
        try:
            yield
        finally:
            self.wake()

    def close(self) -> None:
        if self._process and self._process.poll() is None:
            self.kill()
        self._transport.close()
        for file in self.folder.iterdir():
            file.unlink()
        self.folder.rmdir()
