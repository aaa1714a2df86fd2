"""A real chain node for tests: anvil on a free loopback port, gone afterwards.

with start_anvil() as node: ...            # a block per transaction
with start_anvil(block_time=1) as node: ...
"""

import json
import os
import re
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import processes

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0

# anvil's well-known development accounts (mnemonic "test test … junk"): addresses and private keys, in order.
ACCOUNTS = (
    ("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    ("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
    ("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC", "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
    ("0x90F79bf6EB2c4f870365E785982E1f101E93b906", "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"),
    ("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65", "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"),
    ("0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc", "8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba"),
    ("0x976EA74026E726554dB657fA54763abd0C3a0aa9", "92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e"),
    ("0x14dC79964da2C08b23698B3D3cc7Ca32193d9955", "4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356"),
    ("0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f", "dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97"),
    ("0xa0Ee7A142d267C1f36714E4a8F75612F20a79720", "2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"),
)


class RpcError(Exception):
    """The node answered with an error; `data` is the revert data, if any (0x…)."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message", ""))
        self.code = error.get("code")
        data = error.get("data")
        self.data: str | None = data if isinstance(data, str) else None


@dataclass
class Anvil:
    """A running node."""

    url: str
    port: int
    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)

    def rpc(self, method: str, *params: Any) -> Any:
        """The result of one JSON-RPC call; raises RpcError."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """SIGSTOP: connections are accepted and nothing is answered."""
        processes.stop(self.process.pid)

    def resume(self) -> None:
        """SIGCONT."""
        processes.wake(self.process.pid)


def anvil_binary() -> Path:
    """The node's program, from npm."""
    return next((ROOT / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*"))


@contextmanager
def start_anvil(
    *, port: int = 0, block_time: int | None = None, chain_id: int = 31337, arguments: Sequence[str] = ()
) -> Iterator[Anvil]:
    """A node on 127.0.0.1, on a free port unless one is given; a block per transaction without `block_time` (s)."""
    command = [str(anvil_binary()), "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id)]
    if block_time is not None:
        command += ["--block-time", str(block_time)]
    process = subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    node = Anvil(url="", port=0, process=process)
    listening = threading.Event()
    reader = threading.Thread(target=_read, args=(node, listening), daemon=True)
    reader.start()
    try:
        if not listening.wait(START_SECONDS) or not node.port:
            raise RuntimeError("anvil did not start:\n" + "".join(node.output))
        yield node
    finally:
        process.kill()
        process.wait()
        reader.join()
        if process.stdout is not None:
            process.stdout.close()


def _read(node: Anvil, listening: threading.Event) -> None:
    """Drains the output, so that the node never blocks on a full pipe; keeps the last lines."""
    for line in node.process.stdout or ():
        node.output.append(line)
        del node.output[:-200]
        if found := re.search(r"Listening on 127\.0\.0\.1:(\d+)", line):
            node.port = int(found[1])
            node.url = f"http://127.0.0.1:{node.port}"
            listening.set()
    listening.set()
