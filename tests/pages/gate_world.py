"""An event as a server would serve it to a gate's page, signed for real, with every kind of ticket."""

import json
import time
import uuid
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any

from nacl.signing import SigningKey
from playwright.sync_api import BrowserContext, Page, Route

from credential.body import Body
from credential.bundle import (
    Batch,
    Bundle,
    Gate,
    OfflinePolicy,
    Status,
    Ticket,
    TicketClass,
    Tickets,
    Zone,
    key_list_digest,
    sign_bundle,
)
from credential.codes import answer_challenge, present_compact, present_full
from credential.digits import to_digits
from credential.ids import event_tag, key_id, token_id
from credential.keylist import KeyEntry, KeyList, Reason, Role, sign_key_list
from credential.signing import public_key_of, sign_credential

HOUR, DAY = 3600, 86_400
GATE = 1
TOKEN = "a-gate-token-for-tests"
ROOT, ISSUER, STOLEN, BUNDLER, ALICE, BOB, STRANGER = (SigningKey(bytes([number]) * 32) for number in range(21, 28))
PLATFORM, EVENT, OTHER_EVENT = bytes(range(16)), uuid.UUID(int=77), uuid.UUID(int=78)
TAG, OTHER_TAG = event_tag(PLATFORM, EVENT), event_tag(PLATFORM, OTHER_EVENT)

ALICES, BOBS, REDEEMED, REVOKED, SUSPENDED, KEYLESS, REKEYED = (token_id(1, index) for index in range(7))
EARLY_BIRD = token_id(2, 0)  # of a class whose doors open later
LATER = token_id(3, 0)  # of a batch closed after the bundle was made


@dataclass
class GateWorld:
    """Change a field, and the page is served the change; `alive` False: the server is dead."""

    now: int = field(default_factory=lambda: int(time.time()))
    alive: bool = True
    token: str = TOKEN
    bundle_bytes: bytes | None = None  # served instead of the bundle
    keys_bytes: bytes | None = None
    received: list[dict[str, Any]] = field(default_factory=list)
    answer_next: int | None = None
    waits: str | None = None  # the banner's sentence
    seats: tuple[tuple[int, str], ...] = ((12, "C-12"),)  # number and label
    lost_from: int | None = None  # the server was restored from a backup: it has the records before this one

    def __post_init__(self) -> None:
        start, end = self.now - DAY, self.now + 3 * DAY
        self.key_list = KeyList(
            PLATFORM,
            3,
            self.now - HOUR,
            self.now + 30 * DAY,
            1,
            (public_key_of(ROOT),),
            (
                KeyEntry(public_key_of(ISSUER), Role.ISSUING, None, start, end),
                KeyEntry(public_key_of(STOLEN), Role.ISSUING, TAG, start, end, self.now - HOUR, Reason.COMPROMISED),
                KeyEntry(public_key_of(BUNDLER), Role.BUNDLE, TAG, start, end),
                KeyEntry(public_key_of(STRANGER), Role.BUNDLE, OTHER_TAG, start, end),
            ),
        )
        self.bundle = Bundle(
            event_tag=TAG,
            event_id=EVENT,
            event_index=9,
            event_name="Summer Night 夏夜音乐会",
            chain_id=31337,
            contract=bytes(20),
            version=7,
            issued_at=self.now - 40,
            rows_through=self.now - 45,
            index_through=self.now - 90,
            freeze=0,
            doors=self.now - HOUR,
            ends=self.now + 5 * HOUR,
            offline_policy=OfflinePolicy.LOCAL,
            key_list_version=3,
            key_list_digest=key_list_digest(self.key_list),
            classes=(
                TicketClass(1, "Standing", self.now - HOUR, self.now + 5 * HOUR),
                TicketClass(2, "Late entry", self.now + 2 * HOUR, self.now + 5 * HOUR),
            ),
            zones=(Zone(1, "East"),),
            gates=(Gate(GATE, "North", None),),
            batches=(Batch(7, 1), Batch(1, 2)),
            tickets=Tickets.of(
                (
                    Ticket(serial=1, holder_key=public_key_of(ALICE), zone=1, seat=12),
                    Ticket(serial=1, holder_key=public_key_of(BOB)),
                    Ticket(status=Status.REDEEMED, serial=1, holder_key=public_key_of(BOB)),
                    Ticket(status=Status.REVOKED, serial=1, holder_key=public_key_of(BOB)),
                    Ticket(status=Status.SUSPENDED, serial=1, holder_key=public_key_of(BOB)),
                    Ticket(serial=1),
                    Ticket(serial=3, holder_key=public_key_of(BOB)),
                    Ticket(serial=1, holder_key=public_key_of(BOB)),
                )
            ),
        )

    # What the holders show.

    def credential(self, token: int, device: SigningKey, issuer: SigningKey = ISSUER, **changes: Any) -> bytes:
        body = Body(
            version=0,
            key_id=key_id(public_key_of(issuer)),
            event_tag=TAG,
            token_id=token,
            serial=1,
            class_number=1,
            zone=1 if token == ALICES else 0,
            seat=12 if token == ALICES else 0,
            flags=0,
            not_before=self.now - HOUR,
            lifetime_minutes=6 * 60,
            issued_at=self.now - 10 * 60,
            holder_key=public_key_of(device),
        )
        return sign_credential(replace(body, **changes), issuer)

    def full(self, token: int = ALICES, device: SigningKey = ALICE, age: int = 0, **changes: Any) -> str:
        return to_digits(present_full(self.credential(token, device, **changes), int(time.time()) - age, device))

    def compact(self, token: int = ALICES, device: SigningKey = ALICE, age: int = 0, serial: int = 1) -> str:
        return to_digits(present_compact(9, TAG, token, serial, int(time.time()) - age, device))

    def answer(self, nine: str, token: int = ALICES, device: SigningKey = ALICE) -> str:
        credential = self.credential(token, device)
        return to_digits(answer_challenge(credential, int(nine[:3]), int(nine[3:]), self.now - HOUR, device))

    # The server.

    def setup_code(self, origin: str) -> str:
        root = {"platform_id": PLATFORM.hex(), "threshold": 1, "root_keys": [public_key_of(ROOT).hex()]}
        told = {"server": origin, "event": "summer", "gate": GATE, "name": "North", "token": TOKEN, "trust_root": root}
        return json.dumps(told)

    def serve(self, target: BrowserContext | Page) -> None:
        """Answer the page's calls in place of the server."""
        target.route("**/api/v1/**", self._answer)

    def _answer(self, route: Route) -> None:
        request = route.request
        if not self.alive:
            route.abort("connectionrefused")
        elif request.url.endswith("/status"):
            self._bytes(route, json.dumps({"banner": self.waits}).encode())
        elif request.url.endswith("/events/summer"):
            seats = [{"number": number, "label": label, "free": False} for number, label in self.seats]
            self._bytes(route, json.dumps({"classes": [{"seats": []}, {"seats": seats}]}).encode())
        elif request.url.endswith("/keys"):
            self._bytes(route, self.keys_bytes or sign_key_list(self.key_list, [ROOT]))
        elif request.headers.get("authorization") != f"Bearer {self.token}":
            route.fulfill(status=403, json={"code": "gate_token_wrong"})
        elif "/bundle" in request.url:
            self._bundle(route)
        else:
            told: dict[str, Any] = request.post_data_json or {}
            self.received.append(told)
            taken = told["from"] + len(told["records"])
            answer: dict[str, Any] = {"next": taken if self.answer_next is None else self.answer_next, "conflicts": []}
            if self.lost_from is not None and told["from"] > self.lost_from:
                answer = {"code": "log_gap", "next": self.lost_from}
            self._bytes(route, json.dumps(answer).encode(), status=409 if "code" in answer else 200)

    def _bundle(self, route: Route) -> None:
        data = self.bundle_bytes or sign_bundle(self.bundle, BUNDLER)
        tag = f'"{self.bundle.version}"'
        if self.bundle_bytes is None and route.request.headers.get("if-none-match") == tag:
            route.fulfill(status=304)
        else:
            self._bytes(route, data, tag)

    def _bytes(self, route: Route, data: bytes, tag: str = "", status: int = 200) -> None:
        headers = {"Date": formatdate(usegmt=True), **({"ETag": tag} if tag else {})}
        route.fulfill(status=status, body=data, headers=headers)

    @property
    def records(self) -> list[str]:
        """Every record that was handed over, in order."""
        return [record for told in self.received for record in told["records"]]
