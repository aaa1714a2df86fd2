"""The signer as a process: killed at every boundary, and gone."""

import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from nacl.signing import SigningKey
from sqlalchemy import select

from backend.credentials.keystore import KeyStore
from backend.credentials.messages import Call, Issue
from backend.credentials.signer_client import SignerClient
from backend.db.engine import make_engine
from backend.db.migrate import upgrade
from backend.db.tables.credentials import Credential as CredentialRow
from backend.errors import Refused
from tests.backend.credentials.process import SignerProcess
from tests.backend.credentials.world import World


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def keys(folder: Path) -> KeyStore:
    return KeyStore(folder / "keys")


@pytest.fixture
def process(folder: Path, database_url: str) -> Iterator[SignerProcess]:
    process = SignerProcess(folder, database_url)
    yield process
    if process._process:
        process.stop(signal.SIGKILL)


def stored(world: World) -> list[bytes]:
    with world.engine.connect() as connection:
        return list(connection.scalars(select(CredentialRow.data)))


@pytest.mark.parametrize("place", ["signer.before_commit", "signer.committed"])
def test_a_signer_killed_around_its_commit_never_uses_a_serial_twice(
    world: World, process: SignerProcess, place: str
) -> None:
    sold = world.sell(3)
    client = process.start(kill_at=f"{place}:2").client
    handed_out = client.issue(sold.tickets[0], world.request(sold, 0))
    assert handed_out.serial == 1
    request = world.request(sold, 1)
    with pytest.raises(Refused, match="signer_unreachable") as caught:
        client.issue(sold.tickets[1], request)
    assert caught.value.refusal.details["retry_after"] >= 1
    assert process.wait() == -signal.SIGKILL
    assert handed_out.credential in stored(world)
    assert len(stored(world)) == (2 if place == "signer.committed" else 1)

    process.start()
    again = client.issue(sold.tickets[1], request)
    assert again.serial == 1, "the same request is finished, not begun anew"
    assert client.issue(sold.tickets[1], request) == again
    assert client.issue(sold.tickets[1], world.request(sold, 1, SigningKey.generate())).serial == 2
    assert len(stored(world)) == 3


@pytest.fixture
def plain(folder: Path) -> Iterator[SignerProcess]:
    """A signer for tests in which the kind of database does not matter."""
    url = f"sqlite:///{folder}/truestub.sqlite"
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    process = SignerProcess(folder, url)
    yield process
    if process._process:
        process.stop(signal.SIGKILL)


def test_keys_are_on_disk_before_they_are_named(plain: SignerProcess) -> None:
    event = uuid4()
    client = plain.start(kill_at="keystore.linked:3").client
    with pytest.raises(Refused, match="signer_unreachable"):
        client.prepare_event(event)
    plain.wait()
    plain.start()
    named = client.prepare_event(event)
    rotated = client.rotate_key(event, "issuing", named.issuing_public_key)
    plain.stop(signal.SIGKILL)
    plain.start()
    assert client.prepare_event(event) == named.model_copy(update={"issuing_public_key": rotated})
    assert client.rotate_key(event, "issuing", named.issuing_public_key) == rotated, "a repeat makes no third key"


def test_a_signer_that_is_down_is_said_so(folder: Path) -> None:
    client = SignerClient(folder / "signer.sock")
    with pytest.raises(Refused, match="signer_unreachable") as caught:
        client.ping()
    assert caught.value.refusal.details["retry_after"] >= 1


def test_a_running_signer_keeps_to_itself(world: World, process: SignerProcess) -> None:
    """A socket for its owner alone, no second signer, no secret in the log, nothing left behind."""
    sold = world.sell()
    request = world.request(sold)
    client = process.start().client
    over_the_socket = client.issue(sold.tickets[0], request)
    assert world.signer.answer(Call(request=Issue(ticket_id=sold.tickets[0], binding=request)), b"") == over_the_socket
    with pytest.raises(Refused, match="order_secret_wrong"):
        client.issue(sold.tickets[0], request.model_copy(update={"order_secret": "guessed-secret"}))

    second = SignerProcess(process.folder, process.database_url)
    second.start()  # answered by the first
    assert second.wait() == 1
    assert "signer_running: " in second.log()
    assert second.log().count("Signer on") == 1, "only the one that listens says so"
    assert "Traceback" not in second.log()

    assert stat.S_IMODE(process.socket.stat().st_mode) == 0o600
    assert process.stop() == 0
    assert not process.socket.exists()
    assert sold.secret not in process.log()
    assert "guessed-secret" not in process.log()


def test_without_a_database_it_stays_and_says_so(tmp_path: Path) -> None:
    """In a folder whose name is too long for a socket's address, too."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir(mode=0o700)
    process = SignerProcess(folder, "postgresql://nobody@127.0.0.1:1/none").start()
    try:
        with pytest.raises(Refused, match="database_unreachable") as caught:
            process.client.prepare_event(uuid4())
        assert caught.value.refusal.details["retry_after"] >= 1
        process.client.ping()
    finally:
        assert process.stop() == 0
