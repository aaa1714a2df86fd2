"""Contracts are where we said, are what we compiled, and an event's contract knows its event."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, Row, insert, select
from web3 import Web3

from backend.chain.addresses import event_hash
from backend.chain.deploy import (
    PLAN,
    Completion,
    Roster,
    Slot,
    deployed_address,
    enqueue_deployments,
    event_address,
    matches_artifact,
)
from backend.chain.jobs import enqueue_create_event
from backend.chain.keys import DEVELOPMENT_KEYS, Fees, RelayerKey
from backend.db.tables.chain import Chain, ChainContract, ChainJob, ChainNonce
from backend.db.tables.events import Platform
from contracts import load_artifact
from tests.support.chain_node import CHAIN_ID, ChainNode
from tests.support.rows import CUSTODY, add_event

PLATFORM = bytes(range(16))
KEYS = {role: RelayerKey(secret) for role, secret in DEVELOPMENT_KEYS.items()}
ISSUER = KEYS["issuer"]
ROSTER = Roster(**{role: key.address for role, key in KEYS.items()})


@pytest.fixture
def event_id(engine: Engine) -> UUID:
    """An event whose contract was asked for, on a known chain."""
    numbers = dict.fromkeys(("start_block", "cursor_number", "final_number", "seen_ms", "created_ms"), 0)
    hashes = dict.fromkeys(("genesis_hash", "cursor_hash"), bytes(32))
    with engine.begin() as connection:
        connection.execute(insert(Platform).values(id=1, platform_id=PLATFORM, created_ms=0))
        connection.execute(insert(Chain).values(id=1, chain_id=CHAIN_ID, state="active", **numbers, **hashes))
        enqueue_deployments(connection)
        made = add_event(connection, capacities=(300, 20))
        enqueue_create_event(connection, made)
    return made


def jobs(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(select(ChainJob.__table__).order_by(ChainJob.id)).all())


def run_all(engine: Engine, anvil: ChainNode) -> None:
    """Completes, signs and sends every job in order, as the relayer does."""
    completion = Completion(ROSTER)
    with engine.begin() as connection:
        for nonce, job in enumerate(jobs(connection)):
            target = completion.complete(connection, Slot(1, ISSUER.address, nonce), job)
            assert target is not None, job.key
            connection.execute(insert(ChainNonce).values(chain=1, signer=ISSUER.address, nonce=nonce, job_id=job.id))
            made = ISSUER.sign(CHAIN_ID, nonce, Fees(3 * 10**9, 10**9), job.gas_limit, *target)
            anvil.call("eth_sendRawTransaction", "0x" + made.raw.hex())
    anvil.mine()


def test_every_contract_is_where_we_said_and_is_what_we_compiled(
    engine: Engine, anvil: ChainNode, event_id: UUID
) -> None:
    run_all(engine, anvil)
    with engine.begin() as connection:
        for kind in PLAN:
            address = deployed_address(connection, 1, kind)
            assert address
            code = bytes.fromhex(anvil.call("eth_getCode", "0x" + address.hex(), "latest")[2:])
            assert matches_artifact(kind, code), kind
        expected = set(connection.scalars(select(ChainContract.kind)))
    assert expected == {*PLAN, "event"}


def test_code_with_another_byte_is_not_ours() -> None:
    ours = bytearray.fromhex(load_artifact("EventFactory").deployed_bytecode[2:])
    assert matches_artifact("factory", bytes(ours))
    ours[10] ^= 0xFF
    assert not matches_artifact("factory", bytes(ours))
    assert not matches_artifact("factory", b"")


def test_an_events_contract_knows_event_custody_classes_and_roles(
    engine: Engine, anvil: ChainNode, event_id: UUID
) -> None:
    run_all(engine, anvil)
    with engine.begin() as connection:
        address = event_address(connection, 1, event_id)
    assert address
    web3 = Web3(Web3.HTTPProvider(anvil.url))
    contract: Any = web3.eth.contract(Web3.to_checksum_address(address), abi=load_artifact("EventTickets").abi)
    assert contract.functions.custody().call() == Web3.to_checksum_address(CUSTODY)
    assert contract.functions.admin().call() == Web3.to_checksum_address(ROSTER.admin)
    assert [contract.functions.classInfo(number).call()[1] for number in (0, 1)] == [300, 20]
    assert contract.functions.rolesOf(Web3.to_checksum_address(ROSTER.issuer)).call() == 1
    assert contract.functions.rolesOf(Web3.to_checksum_address(ROSTER.operator)).call() == 2 | 4 | 16 | 32
    assert event_hash(PLATFORM, event_id) in bytes(web3.eth.get_code(Web3.to_checksum_address(address)))


def test_a_contract_waits_for_what_it_is_built_on(engine: Engine, event_id: UUID) -> None:
    completion = Completion(ROSTER)
    with engine.begin() as connection:
        by_kind = {job.key.split(":")[1] if job.kind == "deploy" else job.kind: job for job in jobs(connection)}
        slot = Slot(1, ISSUER.address, 0)
        for kind in ("implementation", "factory", "create_event"):
            assert completion.complete(connection, slot, by_kind[kind]) is None
        assert completion.complete(connection, slot, by_kind["renderer"]) is not None


def test_asking_for_contracts_again_changes_nothing(engine: Engine, event_id: UUID) -> None:
    with engine.begin() as connection:
        before = jobs(connection)
        enqueue_deployments(connection)
        enqueue_create_event(connection, event_id)
        assert jobs(connection) == before
