"""A platform on the in-process EVM, and events on it."""

import pytest

from tests.contracts import world
from tests.contracts.world import Class, Platform
from tests.support.evm import Contract, RevmChain


@pytest.fixture
def chain() -> RevmChain:
    return RevmChain()


@pytest.fixture
def platform(chain: RevmChain) -> Platform:
    return world.deploy_platform(chain)


@pytest.fixture
def market(platform: Platform) -> Contract:
    return platform.market


@pytest.fixture
def open_tickets(platform: Platform) -> Contract:
    """One class that moves as any ERC-721 does."""
    return platform.create(Class(policy=world.OPEN))


@pytest.fixture
def capped_tickets(platform: Platform) -> Contract:
    """One class under the default policy: face value 50.00, cap 55.00."""
    return platform.create(Class())
