"""Whatever a node does, the caller gets an answer or a typed failure within the deadline."""

import time
from collections.abc import Iterator

import pytest

from backend.chain.breaker import FAILURES, LONGEST_REST_SECONDS
from backend.chain.rpc import Call, Node, NodeUnreachable, RpcError
from backend.chain.transport import Transport
from tests.support.bad_proxy import BadProxy
from tests.support.chain_node import ChainNode
from tests.support.postgres import free_port

SHORT_SECONDS, LONG_SECONDS = 0.4, 30  # deadlines: where it is waited for, and where it must not come into play


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


@pytest.fixture(scope="module")
def upstream() -> Iterator[ChainNode]:
    node = ChainNode()
    try:
        yield node.start()
    finally:
        node.close()


@pytest.fixture
def proxy(upstream: ChainNode) -> Iterator[BadProxy]:
    proxy = BadProxy(upstream.url)
    yield proxy
    proxy.close()


def test_batches_come_back_in_the_order_asked_even_if_the_node_shuffles(proxy: BadProxy, transport: Transport) -> None:
    node = Node(proxy.url, transport)
    proxy.mode = "shuffled"
    chain, wrong, block = node.batch([Call("eth_chainId"), Call("eth_nothing"), Call("eth_blockNumber")])
    assert chain == hex(31337)
    assert isinstance(wrong, RpcError)
    assert wrong.code == -32601
    assert int(block, 16) >= 0


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("cut", "cut"),
        ("lose", "cut"),
        ("junk", "junk"),
        ("half", "junk"),
        ("empty_list", "junk"),
        ("status:500", "http_500"),
        ("status:429", "http_429"),
        ("drip", "deadline"),
    ],
)
def test_misbehaviour_has_a_name_and_ends_at_the_deadline(
    proxy: BadProxy, transport: Transport, mode: str, reason: str
) -> None:
    proxy.mode = mode
    seconds = SHORT_SECONDS if reason == "deadline" else LONG_SECONDS
    started = time.monotonic()
    with pytest.raises(NodeUnreachable) as caught:
        Node(proxy.url, transport).call("eth_chainId", deadline_seconds=seconds)
    assert caught.value.reason == reason
    assert time.monotonic() - started < LONG_SECONDS


def test_a_hanging_node_ends_at_the_deadline_and_answers_once_woken(transport: Transport, anvil: ChainNode) -> None:
    node = Node(anvil.url, transport)
    anvil.hang()
    with pytest.raises(NodeUnreachable, match="deadline"):
        node.call("eth_chainId", deadline_seconds=SHORT_SECONDS)
    anvil.wake()
    assert node.call("eth_chainId", deadline_seconds=10) == hex(31337)


def test_a_refused_connection_says_so(transport: Transport) -> None:
    with pytest.raises(NodeUnreachable, match="refused"):
        Node(f"http://127.0.0.1:{free_port()}", transport).call("eth_chainId")


def test_an_endpoint_that_keeps_failing_rests_and_is_tried_again(proxy: BadProxy, transport: Transport) -> None:
    now = 0.0
    node = Node(proxy.url, transport, monotonic=lambda: now)
    proxy.mode = "status:500"
    for _ in range(FAILURES):
        with pytest.raises(NodeUnreachable, match="http_500"):
            node.call("eth_chainId")
    with pytest.raises(NodeUnreachable, match="resting"):
        node.call("eth_chainId")
    assert proxy.seen["eth_chainId"] == FAILURES
    proxy.mode, now = "pass", LONGEST_REST_SECONDS
    assert node.call("eth_chainId") == hex(31337)
    assert not node.resting


def test_large_batches_are_cut_into_requests_that_nodes_accept(proxy: BadProxy, transport: Transport) -> None:
    calls = [Call("web3_sha3", ("0x" + "ab" * 100_000,)) for _ in range(12)]
    assert len(set(Node(proxy.url, transport).batch(calls, 10))) == 1
    assert proxy.seen["web3_sha3"] == 12


def test_no_secret_of_an_address_reaches_an_error(transport: Transport) -> None:
    node = Node(f"http://name:hunter2@127.0.0.1:{free_port()}/v3/topsecret", transport)
    with pytest.raises(NodeUnreachable) as caught:
        node.call("eth_chainId")
    assert "hunter2" not in str(caught.value)
    assert "topsecret" not in str(caught.value)
