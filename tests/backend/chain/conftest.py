"""A real node for the chain's tests."""

from collections.abc import Iterator

import pytest

from tests.support.chain_node import ChainNode


@pytest.fixture
def anvil() -> Iterator[ChainNode]:
    """A fresh node of this test's own."""
    node = ChainNode()
    try:
        yield node.start()
    finally:
        node.close()
