"""A saved state is whole, and a node started from it has forgotten exactly what came later."""

import json
import os
import time
from pathlib import Path

import pytest

from backend.chain.node import require_free_port, save_state
from backend.errors import Refused
from tests.support.chain_node import ChainNode

SENDER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"


def _pay(anvil: ChainNode) -> str:
    sent = anvil.call("eth_sendTransaction", {"from": SENDER, "to": "0x" + "11" * 20, "value": "0x1"})
    anvil.mine()
    return str(sent)


def _hashes(anvil: ChainNode) -> list[str]:
    blocks = [anvil.call("eth_getBlockByNumber", hex(number), False) for number in range(anvil.height + 1)]
    return [block["hash"] for block in blocks]


def test_a_node_restored_from_an_older_state_has_its_blocks_and_forgets_what_came_later(anvil: ChainNode) -> None:
    before = _pay(anvil)
    saved = anvil.save("state")
    kept = _hashes(anvil)
    after = _pay(anvil)
    anvil.kill()
    anvil.start(saved)
    anvil.mine()
    assert _hashes(anvil)[: len(kept) - 1] == kept[: len(kept) - 1]
    assert anvil.call("eth_getTransactionReceipt", before)["status"] == "0x1"
    assert anvil.call("eth_getTransactionReceipt", after) is None
    assert int(anvil.call("eth_getTransactionCount", SENDER, "latest"), 16) == 1


def test_a_node_restarted_again_and_again_keeps_its_first_block_and_no_stray_ones(anvil: ChainNode) -> None:
    """A node that loaded a state has two first blocks in its dump: its own, and the one it made before it loaded."""
    first = anvil.call("eth_getBlockByNumber", "0x0", False)["hash"]
    for generation in range(3):
        anvil.mine(2)
        anvil.call("anvil_rollback", 1)
        saved = anvil.save(f"state-{generation}")
        heights = [block["header"]["number"] for block in json.loads(saved.read_bytes())["blocks"]]
        assert len(heights) == len(set(heights))
        anvil.kill()
        time.sleep(1.1)  # a first block is named by its second
        anvil.start(saved)
        assert anvil.call("eth_getBlockByNumber", "0x0", False)["hash"] == first


def test_a_state_larger_than_a_block_time_is_saved_with_mining_paused_and_mining_goes_on(anvil: ChainNode) -> None:
    class NeverStill:
        """A node whose head moves at every look, as with very short blocks."""

        def __init__(self) -> None:
            self.paused = False

        def call(self, method: str, *params: object, deadline_seconds: float = 3.0) -> object:
            if method == "evm_setIntervalMining":
                self.paused = params == (0,)
            if method == "anvil_dumpState" and not self.paused:
                anvil.mine()
            return anvil.node.call(method, *params, deadline_seconds=deadline_seconds)

    path = anvil.folder / "state"
    save_state(NeverStill(), path)  # type: ignore[arg-type]
    assert path.stat().st_size > 0
    height = anvil.height
    while anvil.height == height:
        pass


def test_a_save_that_fails_leaves_the_old_state(anvil: ChainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    path = anvil.save("state")
    old = path.read_bytes()

    def no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    _pay(anvil)
    with pytest.raises(OSError, match="space"):
        save_state(anvil.node, path)
    assert path.read_bytes() == old
    assert [file.name for file in anvil.folder.iterdir() if file.name.startswith(".")] == []


def test_a_port_in_use_is_named(anvil: ChainNode) -> None:
    with pytest.raises(Refused, match=f"port_in_use.*{anvil.port}"):
        require_free_port(anvil.port)


def test_the_project_finds_its_own_anvil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    ChainNode().start().close()
