"""Enrolling gates."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from nacl.signing import SigningKey
from sqlalchemy import Engine, insert, select

from backend.credentials.gates import enrol, gate_of, gates_of, renew_token, set_public_key
from backend.db.tables.credentials import Gate
from backend.errors import Refused
from credential.codes import MAX_GATE_NUMBER
from tests.backend.credentials.world import World


def known(engine: Engine, token: str) -> int | None:
    with engine.connect() as connection:
        gate = gate_of(connection, token)
    return gate.number if gate is not None else None


def test_a_gate_is_known_by_its_token(world: World) -> None:
    north, south = (enrol(world.engine, world.event_id, name) for name in ("North", "South"))
    assert (north.number, south.number) == (1, 2)
    assert [known(world.engine, one.token) for one in (north, south)] == [1, 2]
    assert known(world.engine, north.token[:-1]) is None
    assert known(world.engine, "") is None


def test_a_token_is_not_in_the_database(world: World) -> None:
    token = enrol(world.engine, world.event_id, "North").token
    with world.engine.connect() as connection:
        row = connection.execute(select(Gate)).one()
    assert token not in repr(tuple(row))
    assert bytes.fromhex(token) != row.token_hash


def test_a_renewed_token_closes_the_old_one(world: World) -> None:
    old = enrol(world.engine, world.event_id, "North")
    new = renew_token(world.engine, world.event_id, 1)
    assert (known(world.engine, old.token), known(world.engine, new.token)) == (None, 1)
    with pytest.raises(Refused, match="unknown_gate"):
        renew_token(world.engine, uuid4(), 1)


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\nb", "a\x1b[31m"])
def test_odd_names_are_refused(world: World, name: str) -> None:
    with pytest.raises(Refused, match="bad_gate_name"):
        enrol(world.engine, world.event_id, name)


def test_a_name_is_taken_once(world: World) -> None:
    enrol(world.engine, world.event_id, "North")
    with pytest.raises(Refused, match="gate_name_taken"):
        enrol(world.engine, world.event_id, "North")


def test_gates_enrolled_at_once_have_numbers_of_their_own(world: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        enrolled = list(pool.map(lambda number: enrol(world.engine, world.event_id, f"gate {number}"), range(5)))
    assert sorted(one.number for one in enrolled) == [1, 2, 3, 4, 5]


def test_gate_numbers_end_at_three_digits(world: World) -> None:
    with world.engine.begin() as connection:
        values = {"event_id": world.event_id, "name": "last", "token_hash": bytes(32), "created_ms": 0}
        connection.execute(insert(Gate).values(number=MAX_GATE_NUMBER, **values))
    with pytest.raises(Refused, match="too_many_gates"):
        enrol(world.engine, world.event_id, "one more")


def test_a_gates_key_is_set_once(world: World) -> None:
    enrol(world.engine, world.event_id, "North")
    key = bytes(SigningKey.generate().verify_key)
    for _ in range(2):
        set_public_key(world.engine, world.event_id, 1, key)
    assert gates_of(world.engine, world.event_id)[0].public_key == key
    with pytest.raises(Refused, match="gate_has_a_key"):
        set_public_key(world.engine, world.event_id, 1, bytes(SigningKey.generate().verify_key))
    with pytest.raises(Refused, match="gate_key_invalid"):
        set_public_key(world.engine, world.event_id, 1, bytes(32))
