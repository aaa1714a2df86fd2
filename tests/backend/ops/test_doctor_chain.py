"""The doctor asks the chain itself whether our accounts can do their work."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from backend.chain import abi
from backend.chain.deploy import ISSUER as MINTS
from backend.chain.keys import ensure_chain_keys
from backend.clock import system_clock
from backend.db.tables.chain import ChainContract
from backend.ops.doctor import examine_installation
from backend.settings import settings_from
from tests.support.chain_node import ChainNode
from tests.support.chain_platform import ADMIN, ISSUER, start_platform


@pytest.fixture
def anvil() -> Iterator[ChainNode]:
    node = ChainNode()
    try:
        yield node.start()
    finally:
        node.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_missing_role_or_empty_account_is_said_before_a_job_is_refused(
    engine: Engine, anvil: ChainNode, tmp_path: Path
) -> None:
    settings = settings_from({"TRUESTUB_DATA_DIR": str(tmp_path), "TRUESTUB_NODE_URLS": anvil.url})
    ensure_chain_keys(settings)
    platform = start_platform(engine, anvil)

    def bad() -> list[str]:
        found = examine_installation(settings, engine, [platform.node], system_clock)
        return [one.what for one in found if one.area == "chain" and one.verdict != "good"]

    assert bad() == []
    platform.send(ADMIN, abi.call("EventTickets", "revokeRoles", ISSUER.address, MINTS))
    (said,) = bad()
    assert "roles are missing" in said
    assert f"issuer of 0x{ISSUER.address.hex()}" in said
    platform.send(ADMIN, abi.call("EventTickets", "grantRoles", ISSUER.address, MINTS))
    anvil.call("anvil_setBalance", "0x" + ISSUER.address.hex(), "0x1")
    (said,) = bad()
    assert "no funds" in said
    anvil.call("anvil_setBalance", "0x" + ISSUER.address.hex(), hex(10**21))
    assert bad() == []
    with engine.connect() as connection:
        address = (
            "0x" + connection.scalars(select(ChainContract.address).where(ChainContract.kind == "event")).one().hex()
        )
    code = anvil.call("eth_getCode", address, "latest")
    anvil.call("anvil_setCode", address, "0x")
    assert any("the code at our contracts' addresses" in said for said in bad())
    anvil.call("anvil_setCode", address, code)
    assert bad() == []
