"""Care for the default chain node, anvil: its flags, and its state saved so that no crash tears it (design 8).

anvil's own `--state` file is written when it exits, so SIGKILL loses it. We ask for a dump over JSON-RPC instead, check
that no block was made meanwhile, and replace the file in one step.
"""

import fcntl
import gzip
import json
import os
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backend.chain.rpc import Call, Node, one
from backend.errors import refuse
from backend.i18n import gettext as _

HOST = "127.0.0.1"  # a development node signs for anybody who can reach it
BLOCK_SECONDS = 1
BLOCK_GAS_LIMIT = 1_000_000_000  # hundreds of batches a block; automining stalls on long queues, so blocks have a beat
STATES_KEPT = 256  # blocks whose state can still be asked for; at least twice the finality depth
DUMP_SECONDS = 60.0  # deadline of a dump
DUMP_TRIES = 3
PAUSE_FILE = ".node-paused"  # in the data folder, locked by who keeps the node from making blocks

PROJECT_DIR = Path(__file__).parents[2]


def find_anvil() -> Path:
    """Anvil's binary: what npm installed beside us or in the working folder, else what is on PATH."""
    for folder in (Path.cwd(), PROJECT_DIR):
        for binary in sorted(folder.glob("node_modules/@foundry-rs/anvil-*/bin/anvil")):
            return binary
    found = shutil.which("anvil")
    if not found:
        raise refuse("anvil_missing", _("The chain node anvil is not installed; run make setup, or put it on PATH."))
    return Path(found)


def anvil_command(port: int, chain_id: int, finality_blocks: int, load: Path | None = None) -> list[str]:
    """The command that starts anvil as we need it."""
    command = [
        *(str(find_anvil()), "--quiet", "--host", HOST, "--port", str(port), "--chain-id", str(chain_id)),
        *("--block-time", str(BLOCK_SECONDS), "--gas-limit", str(BLOCK_GAS_LIMIT), "--enable-tx-gas-limit"),
        *("--prune-history", str(max(STATES_KEPT, 2 * finality_blocks))),
    ]
    return [*command, "--load-state", str(load)] if load else command


def require_free_port(port: int) -> None:
    """Refuse if something listens on the node's port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise refuse(
                "port_in_use",
                _("Port %(port)d is in use; stop what runs there, or choose another with --port.") % {"port": port},
            ) from None


def save_state(node: Node, path: Path, folder: Path | None = None) -> int:
    """Write the node's whole state to `path`, for `--load-state`; the number of its last block.

    A large state takes a pause of the node. It is noted in `folder` (none: that of `path`), so that `end_pause` ends it
    should we die meanwhile.

    The file is either the old one or the new one, whole and on disk. Raises `NodeError`, or `OSError` if there is no
    room; then the old file is untouched.
    """
    folder = folder or path.parent
    end_pause(node, folder)
    number, dump = _dump(node, folder / PAUSE_FILE)
    state = _without_strays(node, dump)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(state)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return number


def end_pause(node: Node, folder: Path) -> None:
    """Let the node make blocks again if whoever paused it is dead; nothing if nobody did, or is still at it."""
    with suppress(FileNotFoundError, BlockingIOError), (folder / PAUSE_FILE).open("rb") as note:
        fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel takes it from the dead
        node.call("evm_setIntervalMining", BLOCK_SECONDS)
        (folder / PAUSE_FILE).unlink()


def _dump(node: Node, pause: Path) -> tuple[int, bytes]:
    """A state in which blocks and accounts belong together: no block was made from before the dump till after it."""
    for _try in range(DUMP_TRIES):
        before = _head(node)
        dump = node.call("anvil_dumpState", deadline_seconds=DUMP_SECONDS)
        if _head(node) == before:
            return before[0], gzip.decompress(bytes.fromhex(dump[2:]))
    with _no_new_blocks(node, pause):  # a state so large that a dump takes longer than a block
        number, _hash = _head(node)
        dump = node.call("anvil_dumpState", deadline_seconds=DUMP_SECONDS)
    return number, gzip.decompress(bytes.fromhex(dump[2:]))


def _without_strays(node: Node, state: bytes) -> bytes:
    """Only the blocks of the node's own chain.

    anvil also dumps the first block it made by itself before it loaded a state, and blocks it has rolled back; when it
    loads such a dump, any of several blocks of one height becomes the chain's, the first block included.
    """
    saved = json.loads(state)
    blocks = saved.get("blocks", [])
    heights = Counter(int(block["header"]["number"], 16) for block in blocks)
    doubled = sorted(height for height, count in heights.items() if count > 1)
    if not doubled:
        return state
    calls = [Call("eth_getBlockByNumber", (hex(height), False)) for height in doubled]
    own = dict(zip(doubled, map(one, node.batch(calls, DUMP_SECONDS)), strict=True))
    saved["blocks"] = [block for block in blocks if _is_own(block["header"], own)]
    return json.dumps(saved).encode()


def _is_own(header: dict[str, str], own: dict[int, dict[str, str]]) -> bool:
    known = own.get(int(header["number"], 16))
    if known is None:
        return True
    same_time = int(header["timestamp"], 16) == int(known["timestamp"], 16)
    return same_time and all(header[name] == known[name] for name in ("parentHash", "stateRoot", "transactionsRoot"))


@contextmanager
def _no_new_blocks(node: Node, pause: Path) -> Iterator[None]:
    with pause.open("wb") as note:
        fcntl.flock(note, fcntl.LOCK_EX)
        node.call("evm_setIntervalMining", 0)
        try:
            yield
        finally:
            node.call("evm_setIntervalMining", BLOCK_SECONDS)
            pause.unlink(missing_ok=True)


def _head(node: Node) -> tuple[int, str]:
    block = node.call("eth_getBlockByNumber", "latest", False)
    return int(block["number"], 16), block["hash"]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
