"""`truestub node` as an operator runs it."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from backend.chain.node import PAUSE_FILE
from backend.cli import node as commands
from tests.support.chain_node import ChainNode
from tests.support.installation import Installation, wait_until


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    yield made
    made.close()


def _height(installation: Installation) -> int | None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}).encode()
    request = urllib.request.Request(installation.node_url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:
            return int(json.load(answer)["result"], 16)
    except OSError:
        return None


def _start(installation: Installation) -> int:
    installation.start("node", "node", "start", "--port", str(installation.node_port))
    wait_until(lambda: _height(installation) is not None, "the node")
    return _height(installation) or 0


def test_the_node_saves_itself_when_stopped_and_goes_on_from_there(installation: Installation) -> None:
    _start(installation)
    reached = wait_until(lambda: (_height(installation) or 0) >= 1 and _height(installation), "a block")
    process = installation.processes["node"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert _height(installation) is None
    assert _start(installation) >= reached


def test_a_killed_node_leaves_no_anvil_behind(installation: Installation) -> None:
    _start(installation)
    installation.kill("node")
    wait_until(lambda: _height(installation) is None, "the port to close")


def test_a_state_can_be_saved_while_it_runs_and_a_used_port_is_refused(installation: Installation) -> None:
    _start(installation)
    file = installation.folder / "saved.state"
    assert str(file) in installation.run("node", "save", str(file))
    assert json.loads(file.read_bytes())["blocks"]
    with pytest.raises(AssertionError, match="port_in_use"):
        installation.run("node", "start", "--port", str(installation.node_port))


def test_no_node_is_said_in_a_sentence(installation: Installation) -> None:
    with pytest.raises(AssertionError, match="node_unreachable"):
        installation.run("node", "save", str(installation.folder / "x"))


def test_a_node_whose_saver_was_killed_in_its_pause_makes_blocks_again(anvil: ChainNode, tmp_path: Path) -> None:
    dies = """import os, signal, sys
from pathlib import Path
from backend.chain.node import PAUSE_FILE, _no_new_blocks
from backend.chain.rpc import Node
from backend.chain.transport import Transport
with _no_new_blocks(Node(sys.argv[1], Transport()), Path(sys.argv[2]) / PAUSE_FILE):
    os.kill(os.getpid(), signal.SIGKILL)"""
    saver = subprocess.run([sys.executable, "-c", dies, anvil.url, str(tmp_path)], check=False)
    assert saver.returncode == -signal.SIGKILL
    assert anvil.node.call("anvil_getIntervalMining") is None
    stop, stand_in = Event(), subprocess.Popen(["sleep", "60"])
    keeper = Thread(target=commands._keep, args=(stand_in, anvil.node, tmp_path / "node.state", stop))
    keeper.start()
    try:
        wait_until(lambda: anvil.node.call("anvil_getIntervalMining"), "the node to make blocks")
        wait_until(lambda: not (tmp_path / PAUSE_FILE).exists(), "the pause to be over")
    finally:
        stop.set()
        keeper.join()
        stand_in.kill()
        stand_in.wait()


def test_a_node_killed_between_two_saves_comes_back_with_the_last_one(
    anvil: ChainNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "SAVE_SECONDS", 0.3)
    kept, stop = tmp_path / "node.state", Event()
    anvil.mine(3)
    stand_in = subprocess.Popen(["sleep", "60"])  # the keeper only asks whether it lives
    keeper = Thread(target=commands._keep, args=(stand_in, anvil.node, kept, stop))
    keeper.start()
    try:
        wait_until(kept.exists, "the first save")
        anvil.mine(2)
        wait_until(lambda: len(json.loads(kept.read_bytes())["blocks"]) > 5, "the next save")
    finally:
        anvil.kill()
        stop.set()
        keeper.join()
        stand_in.kill()
        stand_in.wait()
    assert anvil.start(kept).height >= 5
    assert [file.name for file in tmp_path.iterdir()] == ["node.state"]
