"""What gates hand over: kept once, in order, whole; doubles are told; other gates learn of it by the bundle."""

import hashlib
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from backend.app import create_app
from backend.credentials.bundle_rows import read_batches, read_tickets
from backend.credentials.gates import Enrolled, enrol
from backend.credentials.keystore import KeyStore
from backend.credentials.snapshot import snapshot
from backend.db.tables.credentials import GateRecord
from backend.gates.records import LogRecord, RecordType, first_head, next_head, read_record
from backend.wiring import Services
from credential.bundle import Status
from credential.ids import token_id
from credential.results import Malformed
from tests.backend.credentials.world import World, make_world
from verifier.records import append, new_header
from verifier.verdict import Admission, Kind, SeenSerial

LOG = bytes(range(16))
AT = 1_900_000_000


@pytest.fixture
def world(services: Services) -> World:
    return make_world(services.engine, KeyStore(services.settings.keys_dir))


@pytest.fixture
def client(services: Services, world: World) -> FlaskClient:
    return create_app(services).test_client()


@pytest.fixture
def north(world: World) -> Enrolled:
    return enrol(world.engine, world.event_id, "North")


class Log:
    """A gate's log, written by the gate's own code."""

    def __init__(self, world: World, gate: Enrolled, client: FlaskClient, log_id: bytes = LOG) -> None:
        self.world, self.gate, self.client, self.log_id = world, gate, client, log_id
        self.payloads: list[bytes] = []
        self.heads = [hashlib.sha256(new_header(log_id)).digest()]

    def admit(self, index: int, gate_number: int | None = None, tag: bytes | None = None) -> None:
        number = self.gate.number if gate_number is None else gate_number
        self._append(
            Admission(tag or self.world.tag, token_id(1, index), 1, b"keyi", Kind.FULL, AT, number, 3, bytes(203))
        )

    def see(self, index: int) -> None:
        self._append(SeenSerial(self.world.tag, token_id(1, index), 2, b"keyi", AT, bytes(203)))

    def _append(self, record: Admission | SeenSerial) -> None:
        data, head = append(self.heads[-1], record)
        self.payloads.append(data[4:-32])
        self.heads.append(head)

    def hand_over(self, start: int = 0, end: int | None = None, **changes: Any) -> tuple[int, dict[str, Any]]:
        body = {
            "log": self.log_id.hex(),
            "from": start,
            "head": self.heads[min(start, len(self.heads) - 1)].hex(),
            "records": [urlsafe_b64encode(one).decode().rstrip("=") for one in self.payloads[start:end]],
            **changes,
        }
        path = f"/api/v1/events/{self.world.slug}/admissions"
        answer = self.client.post(path, json=body, headers={"Authorization": f"Bearer {self.gate.token}"})
        told: dict[str, Any] = answer.get_json()
        return answer.status_code, told


@pytest.fixture
def log(world: World, north: Enrolled, client: FlaskClient) -> Log:
    made = Log(world, north, client)
    for index in range(3):
        made.admit(index)
    made.see(0)
    return made


def count(services: Services) -> int:
    with services.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(GateRecord)) or 0


def test_records_are_read_as_the_gate_wrote_them(log: Log) -> None:
    first = read_record(log.payloads[0])
    assert first == LogRecord(RecordType.ADMISSION, log.world.tag, token_id(1, 0), 1, AT, log.gate.number)
    assert first_head(LOG) == log.heads[0]
    assert next_head(log.heads[0], log.payloads[0]) == log.heads[1]
    for cut in range(len(log.payloads[0])):
        assert isinstance(read_record(log.payloads[0][:cut]), Malformed)


def test_records_are_kept_once_however_often_they_are_handed_over(log: Log, services: Services) -> None:
    assert log.hand_over(0, 2) == (200, {"next": 2, "conflicts": []})
    assert log.hand_over(0, 2) == (200, {"next": 2, "conflicts": []})
    assert log.hand_over(1) == (200, {"next": 4, "conflicts": []})  # an answer was lost: some again, some new
    assert log.hand_over(0) == (200, {"next": 4, "conflicts": []})
    assert log.hand_over(4) == (200, {"next": 4, "conflicts": []})
    assert count(services) == 4


def test_gap_is_refused_and_says_where_to_go_on(log: Log, services: Services) -> None:
    status, told = log.hand_over(2)
    assert (status, told["code"], told["next"]) == (409, "log_gap", 0)
    assert count(services) == 0


def test_log_that_was_set_back_or_copied_is_refused(log: Log, world: World, client: FlaskClient) -> None:
    log.hand_over(0, 2)
    other = Log(world, log.gate, client)
    other.admit(5)
    other.admit(6)
    other.admit(7)
    assert other.hand_over(0)[1]["code"] == "log_forked"
    assert other.hand_over(2)[1]["code"] == "log_forked"
    assert log.hand_over(2) == (200, {"next": 4, "conflicts": []})


def test_ticket_admitted_at_two_gates_is_told_to_both(log: Log, world: World, client: FlaskClient) -> None:
    south = Log(world, enrol(world.engine, world.event_id, "South"), client, b"s" * 16)
    south.admit(1)
    assert south.hand_over()[1]["conflicts"] == []
    told = log.hand_over()[1]
    assert told["conflicts"] == [{"token_id": str(token_id(1, 1)), "gate": 2, "at": "2030-03-17T17:46:40.000Z"}]
    assert [one["gate"] for one in south.hand_over()[1]["conflicts"]] == [1]


def test_admitted_tickets_are_redeemed_in_the_next_bundle(log: Log, world: World, services: Services) -> None:
    world.sell(3)

    def states() -> list[Status]:
        with snapshot(services.engine) as taken:
            counts = [batch.count for batch in read_batches(taken.connection, world.event_id)]
            return [row.status for row in read_tickets(taken.connection, world.event_id, counts)]

    before = states()
    log.hand_over(0, 1)
    assert before[0] is Status.VALID
    assert states()[0] is Status.REDEEMED
    assert states()[1:] == before[1:]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"records": ["!"]}, "invalid_request"),
        ({"records": ["A"]}, "record_unreadable"),
        ({"records": ["AAAA"]}, "record_unreadable"),
        ({"log": "00"}, "invalid_request"),
        ({"from": -1}, "invalid_request"),
        ({"records": ["AAAA"] * 151}, "invalid_request"),
        ({"more": 1}, "unknown_field"),
    ],
)
def test_junk_is_refused_with_a_code(log: Log, services: Services, change: dict[str, Any], code: str) -> None:
    status, told = log.hand_over(0, None, **change)
    assert (status, told["code"]) == (422, code)
    assert count(services) == 0


def test_gate_hands_over_its_own_records_only(log: Log, world: World, north: Enrolled, client: FlaskClient) -> None:
    for change in ({"gate_number": 2}, {"tag": bytes(8)}):
        other = Log(world, north, client, b"o" * 16)
        other.admit(1, **change)
        assert other.hand_over()[1]["code"] == "record_of_another_gate"


def test_without_a_token_nothing_is_taken(log: Log) -> None:
    log.gate = Enrolled(1, "wrong")
    assert log.hand_over()[0] == 403
