"""Credentials, key lists and bundles over HTTP, with a signer at its socket."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from nacl.signing import SigningKey
from sqlalchemy import Engine, func, select, update
from werkzeug.test import TestResponse

from backend.app import create_app
from backend.credentials import bundles
from backend.credentials.bundle_delivery import STALE_SECONDS
from backend.credentials.bundles import refresh
from backend.credentials.gates import Enrolled, enrol
from backend.credentials.keystore import KeyStore
from backend.credentials.messages import BindingRequest
from backend.credentials.publishing import publish
from backend.credentials.signer_client import SignerClient
from backend.db.tables.credentials import Bundle as BundleRow
from backend.db.tables.events import Event
from backend.db.tables.orders import IdempotencyKey
from backend.wiring import Services
from credential.bundle import Bundle, verify_bundle
from credential.codes import Credential, decode_credential
from credential.delta import apply_delta
from credential.keylist import KeyList, TrustRoot, verify_key_list
from credential.signing import public_key_of
from tests.backend.credentials.serving import serving
from tests.backend.credentials.world import HOUR, Sold, World, make_world

ROOT = SigningKey(b"root of the web tests".ljust(32))


@pytest.fixture
def world(services: Services) -> World:
    return make_world(services.engine, KeyStore(services.settings.keys_dir))


@pytest.fixture
def signer(world: World, services: Services) -> Iterator[SignerClient]:
    with serving(world.signer, services.settings.signer_socket) as client:
        yield client


@pytest.fixture
def client(services: Services, world: World) -> FlaskClient:
    return create_app(services).test_client()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "NEAR_PACE", bundles.Pace(0, 15))


def body_of(request: BindingRequest) -> dict[str, Any]:
    return request.model_dump(mode="json", exclude={"order_secret"}, exclude_none=True)


def ask(
    client: FlaskClient, sold: Sold, body: dict[str, Any], *, ticket: UUID | None = None, **headers: Any
) -> TestResponse:
    sent = {"Idempotency-Key": str(uuid4()), "Authorization": f"Bearer {sold.secret}", **headers}
    return client.post(f"/api/v1/tickets/{ticket or sold.tickets[0]}/credential", json=body, headers=sent)


def problem(answer: TestResponse) -> tuple[int, str]:
    assert answer.mimetype == "application/problem+json"
    body = answer.get_json()
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"]


# --- credentials ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("signer")
@pytest.mark.parametrize("wallet", [True, False], ids=["own wallet", "custody"])
def test_a_buyer_gets_a_credential(world: World, client: FlaskClient, wallet: bool) -> None:
    sold = world.sell(wallet=wallet)
    answer = ask(client, sold, body_of(world.request(sold)))
    assert answer.status_code == 200
    told = answer.get_json()
    credential = decode_credential(bytes.fromhex(told["credential"]))
    assert isinstance(credential, Credential)
    row = world.ticket(sold.tickets[0])
    assert (told["serial"], told["binding_number"], told["token_id"]) == (1, 1, row.token_id)
    assert (told["class"], told["zone"], told["seat"]) == ("standing", 1, None)
    assert told["event"]["slug"] == world.slug
    assert bytes.fromhex(told["event_tag"]) == credential.body.event_tag == world.tag
    assert bytes.fromhex(told["platform_id"]) == world.platform_id
    assert told["not_before"].endswith("Z")


@pytest.mark.usefixtures("signer")
def test_prefixed_hex_is_understood(world: World, client: FlaskClient) -> None:
    sold = world.sell()
    body = body_of(world.request(sold))
    body["device_key"] = "0x" + body["device_key"].upper()
    assert ask(client, sold, body).status_code == 200


@pytest.mark.usefixtures("signer")
def test_an_owners_signature_needs_no_order_secret(world: World, client: FlaskClient) -> None:
    """Whoever got the ticket from somebody else has no order."""
    sold = world.sell(wallet=True)
    assert ask(client, sold, body_of(world.request(sold)), Authorization="").status_code == 200


@pytest.mark.usefixtures("signer")
def test_the_same_request_again_gets_the_same_answer(world: World, client: FlaskClient) -> None:
    sold = world.sell()
    body = body_of(world.request(sold))
    key: dict[str, Any] = {"Idempotency-Key": "the-very-same-key"}
    first, second = (ask(client, sold, body, **key) for _ in range(2))
    assert first.get_json() == second.get_json()
    other = ask(client, sold, body_of(world.request(sold, device=SigningKey.generate())), **key)
    assert problem(other) == (422, "idempotency_key_reused")


@pytest.mark.usefixtures("signer")
def test_refused_requests_leave_no_rows(world: World, client: FlaskClient, services: Services) -> None:
    """Else anybody could fill the table."""
    sold = world.sell()
    for _ in range(3):
        ask(client, sold, body_of(world.request(sold)), ticket=uuid4())
    with services.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(IdempotencyKey)) == 0


@pytest.mark.usefixtures("signer")
def test_what_each_mistake_gets(world: World, client: FlaskClient) -> None:
    sold, other, early = world.sell(), world.sell(), world.sell(batched=False)
    good = body_of(world.request(sold))
    bearer = "Bearer "
    assert problem(ask(client, sold, good, Authorization="")) == (401, "order_secret_missing")
    assert problem(ask(client, sold, good, Authorization=bearer + other.secret)) == (403, "order_secret_wrong")
    assert problem(ask(client, sold, good, Authorization=bearer + "x" * 5000)) == (403, "order_secret_wrong")
    assert problem(ask(client, sold, good, ticket=uuid4())) == (404, "unknown_ticket")
    assert problem(ask(client, sold, {**good, "number": 7})) == (409, "wrong_binding_number")
    assert problem(ask(client, sold, {**good, "expiry": 1})) == (422, "binding_expired")
    assert problem(ask(client, sold, {**good, "device_key": "00" * 32})) == (422, "device_key_invalid")
    assert problem(ask(client, sold, {**good, "device_key": "00"})) == (422, "invalid_request")
    assert problem(ask(client, sold, {**good, "number": "1"})) == (422, "invalid_request")
    assert problem(ask(client, sold, {**good, "extra": 1})) == (422, "unknown_field")
    not_ready = ask(client, early, body_of(world.request(early)))
    assert problem(not_ready) == (409, "ticket_not_ready")
    assert int(not_ready.headers["Retry-After"]) >= 1


def test_with_the_signer_down_the_buyer_is_told_to_wait(world: World, client: FlaskClient) -> None:
    sold = world.sell()
    answer = ask(client, sold, body_of(world.request(sold)))
    assert problem(answer) == (503, "signer_unreachable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert world.ticket(sold.tickets[0]).serial == 0


# --- the key list -----------------------------------------------------------------------------------------------------


def test_the_key_list_is_there_for_everybody(world: World, client: FlaskClient) -> None:
    assert problem(client.get("/api/v1/keys")) == (404, "no_key_list")
    published = publish(world.engine, [ROOT]).key_list
    answer = client.get("/api/v1/keys")
    assert (answer.status_code, answer.mimetype) == (200, "application/octet-stream")
    root = TrustRoot(world.platform_id, 1, (public_key_of(ROOT),))
    assert verify_key_list(answer.data, root, published.issued) == published
    again = client.get("/api/v1/keys", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


# --- bundles ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def key_list(world: World) -> KeyList:
    return publish(world.engine, [ROOT]).key_list


@pytest.fixture
def gate(world: World, key_list: KeyList) -> Enrolled:
    return enrol(world.engine, world.event_id, "North")


def fetch(client: FlaskClient, world: World, gate: Enrolled, query: str = "", **headers: str) -> TestResponse:
    sent = {"Authorization": f"Bearer {gate.token}", **headers}
    return client.get(f"/api/v1/events/{world.slug}/bundle{query}", headers=sent)


def read_bundle(data: bytes, key_list: KeyList) -> Bundle:
    bundle = verify_bundle(data, key_list)
    assert isinstance(bundle, Bundle), bundle
    return bundle


@pytest.mark.usefixtures("signer")
def test_a_gate_gets_its_bundle_at_once(world: World, client: FlaskClient, gate: Enrolled, key_list: KeyList) -> None:
    """Also before any worker ran, and with this gate in it."""
    world.sell(2)
    answer = fetch(client, world, gate)
    assert (answer.status_code, answer.mimetype) == (200, "application/octet-stream")
    bundle = read_bundle(answer.data, key_list)
    assert [one.name for one in bundle.gates] == ["North"]
    assert len(bundle.tickets) == 2
    assert answer.headers["Truestub-Version"] == str(bundle.version)
    by_id = client.get(f"/api/v1/events/{world.event_id}/bundle", headers={"Authorization": f"Bearer {gate.token}"})
    assert by_id.data == answer.data


@pytest.mark.usefixtures("signer")
def test_a_gate_enrolled_after_the_bundle_is_in_the_one_it_gets(
    world: World, client: FlaskClient, gate: Enrolled, key_list: KeyList
) -> None:
    fetch(client, world, gate)
    south = enrol(world.engine, world.event_id, "South")
    bundle = read_bundle(fetch(client, world, south).data, key_list)
    assert [one.name for one in bundle.gates] == ["North", "South"]


@pytest.mark.usefixtures("signer")
def test_what_has_not_changed_is_not_sent_again(world: World, client: FlaskClient, gate: Enrolled) -> None:
    first = fetch(client, world, gate)
    for again in (
        fetch(client, world, gate, **{"If-None-Match": first.headers["ETag"]}),
        fetch(client, world, gate, f"?since={first.headers['Truestub-Version']}"),
    ):
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]


def test_a_delta_leads_from_one_bundle_to_the_next(
    world: World, client: FlaskClient, gate: Enrolled, key_list: KeyList, signer: SignerClient
) -> None:
    sold = world.sell(200)
    base = fetch(client, world, gate)
    ask(client, sold, body_of(world.request(sold)))
    assert refresh(world.engine, signer) == 1
    whole = fetch(client, world, gate)
    version = base.headers["Truestub-Version"]
    delta = fetch(client, world, gate, f"?since={version}")
    assert apply_delta(base.data, delta.data) == whole.data
    assert len(delta.data) < len(whole.data) / 2
    assert delta.headers["ETag"] != whole.headers["ETag"]
    assert read_bundle(whole.data, key_list).version > int(version)


@pytest.mark.usefixtures("signer")
@pytest.mark.parametrize("since", ["1", "4294967295", "0"])
def test_a_gate_with_a_version_nobody_knows_gets_the_whole(
    world: World, client: FlaskClient, gate: Enrolled, key_list: KeyList, since: str
) -> None:
    answer = fetch(client, world, gate, f"?since={since}")
    assert read_bundle(answer.data, key_list)


@pytest.mark.usefixtures("signer")
@pytest.mark.parametrize("since", ["", "-1", "1.5", "x", "4294967296", "9" * 50, "%D9%A1"])
def test_odd_versions_are_refused(world: World, client: FlaskClient, gate: Enrolled, since: str) -> None:
    assert problem(fetch(client, world, gate, f"?since={since}")) == (422, "invalid_request")


@pytest.mark.usefixtures("signer")
def test_a_download_that_broke_off_is_resumed(
    world: World, client: FlaskClient, gate: Enrolled, key_list: KeyList
) -> None:
    world.sell(100)
    whole = fetch(client, world, gate)
    rest = fetch(client, world, gate, Range="bytes=100-", **{"If-Range": whole.headers["ETag"]})
    assert rest.status_code == 206
    assert whole.data[:100] + rest.data == whole.data
    changed = fetch(client, world, gate, Range="bytes=100-", **{"If-Range": '"another"'})
    assert (changed.status_code, changed.data) == (200, whole.data)


@pytest.mark.usefixtures("signer")
def test_a_bundle_is_for_its_events_gates_only(world: World, client: FlaskClient, gate: Enrolled) -> None:
    path = f"/api/v1/events/{world.slug}/bundle"
    assert problem(client.get(path)) == (401, "gate_token_missing")
    assert problem(client.get(path, headers={"Authorization": f"Basic {gate.token}"})) == (401, "gate_token_missing")
    for token in ("x", gate.token[:-1], gate.token + "0", gate.token.upper(), "é" * 50):
        answer = client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert problem(answer) == (403, "gate_token_wrong")
    for event in ("other", str(uuid4())):
        answer = client.get(f"/api/v1/events/{event}/bundle", headers={"Authorization": f"Bearer {gate.token}"})
        assert problem(answer) == (403, "other_event")


def test_without_key_list_or_signer_the_gate_is_told(world: World, client: FlaskClient) -> None:
    gate = enrol(world.engine, world.event_id, "North")
    assert problem(fetch(client, world, gate)) == (404, "no_key_list")
    publish(world.engine, [ROOT])
    assert problem(fetch(client, world, gate)) == (503, "signer_unreachable")


def test_with_the_signer_gone_the_old_bundle_is_better_than_none(
    world: World, client: FlaskClient, gate: Enrolled, key_list: KeyList, services: Services
) -> None:
    with serving(world.signer, services.settings.signer_socket):
        before = fetch(client, world, gate)
    forgotten = int((time.time() - STALE_SECONDS - 5) * 1000)
    change_bundles(world.engine, created_ms=forgotten)
    after = fetch(client, world, gate)
    assert (after.status_code, after.data) == (200, before.data)


def test_a_bundle_the_worker_forgot_is_renewed_on_demand(
    world: World, client: FlaskClient, gate: Enrolled, key_list: KeyList, signer: SignerClient
) -> None:
    before = fetch(client, world, gate)
    world.sell()
    change_bundles(world.engine, created_ms=int((time.time() - STALE_SECONDS - 5) * 1000))
    after = fetch(client, world, gate)
    assert len(read_bundle(after.data, key_list).tickets) == 1
    assert after.headers["Truestub-Version"] > before.headers["Truestub-Version"]


def change_bundles(engine: Engine, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(update(BundleRow).values(**values))


def test_deltas_end_where_old_versions_are_gone(
    world: World,
    client: FlaskClient,
    gate: Enrolled,
    key_list: KeyList,
    signer: SignerClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundles, "KEPT_VERSIONS", 1)
    first = fetch(client, world, gate)
    world.sell(50)
    assert refresh(world.engine, signer) == 1
    answer = fetch(client, world, gate, f"?since={first.headers['Truestub-Version']}")
    assert len(read_bundle(answer.data, key_list).tickets) == 50


@pytest.mark.usefixtures("signer")
def test_the_story_of_a_ticket_over_http(world: World, client: FlaskClient, gate: Enrolled, key_list: KeyList) -> None:
    """Sold, bound over HTTP, admitted with a bundle fetched over HTTP."""
    from backend.credentials.messages import IssuedCredential
    from tests.backend.credentials.gate import Gate, full
    from verifier.verdict import Code

    doors = int(time.time()) * 1000 - HOUR * 1000
    world.change_event(doors_ms=doors, starts_ms=doors, ends_ms=doors + 5 * HOUR * 1000)
    bundle = read_bundle(fetch(client, world, gate).data, key_list)
    sold = world.sell()
    told = ask(client, sold, body_of(world.request(sold))).get_json()
    device = world.devices[sold.tickets[0]]
    credential = bytes.fromhex(told["credential"])
    shown = full(IssuedCredential.model_construct(credential=credential), device)
    assert Gate(gate.number).scan(shown, key_list, bundle) is Code.ADMIT
    with world.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Event)) == 1
