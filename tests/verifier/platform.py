"""A platform as a gate sees it: signed lists and bundles, holders with real keys, and a real HTTP server."""

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from nacl.signing import SigningKey

from credential.body import Body
from credential.bundle import (
    Batch,
    Bundle,
    Gate,
    OfflinePolicy,
    Ticket,
    TicketClass,
    Tickets,
    key_list_digest,
    sign_bundle,
)
from credential.codes import answer_challenge, present_compact, present_full
from credential.digits import to_digits
from credential.ids import event_tag, key_id, token_id
from credential.keylist import KeyEntry, KeyList, Role, sign_key_list
from credential.signing import public_key_of, sign_credential
from verifier.cli import main

DAY = 86_400
GATE = 1
EVENT_ID = uuid.UUID(int=77)
TOKEN = "gate-token-of-the-tests"


def key(label: str) -> SigningKey:
    return SigningKey(hashlib.sha256(f"truestub gate tests/{label}".encode()).digest())


def public(label: str) -> bytes:
    return public_key_of(key(label))


@dataclass
class Platform:
    """Change `key_list` and `bundle` with `dataclasses.replace`; `now` is when it was made, the real time."""

    now: int = field(default_factory=lambda: int(time.time()))
    platform_id: bytes = b"platform of test"
    event_id: uuid.UUID = EVENT_ID
    key_list: KeyList = field(init=False)
    bundle: Bundle = field(init=False)

    def __post_init__(self) -> None:
        self.tag = event_tag(self.platform_id, self.event_id)
        self.key_list = KeyList(
            platform_id=self.platform_id,
            version=1,
            issued=self.now - DAY,
            expires=self.now + DAY,
            threshold=1,
            root_keys=(public("root"),),
            entries=(
                KeyEntry(public("issuer"), Role.ISSUING, self.tag, self.now - DAY, self.now + DAY),
                KeyEntry(public("bundle"), Role.BUNDLE, self.tag, self.now - DAY, self.now + DAY),
            ),
        )
        rows = [Ticket(serial=1, holder_key=public("holder")) for _ in range(50)]
        self.bundle = Bundle(
            event_tag=self.tag,
            event_id=self.event_id,
            event_index=9,
            event_name="The Tempest",
            chain_id=31337,
            contract=bytes(20),
            version=1,
            issued_at=self.now - 100,
            rows_through=self.now - 120,
            index_through=self.now - 130,
            freeze=0,
            doors=self.now - 3600,
            ends=self.now + 3600,
            offline_policy=OfflinePolicy.LOCAL,
            key_list_version=1,
            key_list_digest=key_list_digest(self.key_list),
            classes=(TicketClass(1, "Stalls", self.now - 3600, self.now + 3600),),
            zones=(),
            gates=(Gate(GATE, "North"),),
            batches=(Batch(50, 1),),
            tickets=Tickets.of(rows),
        )

    @property
    def signed_key_list(self) -> bytes:
        return sign_key_list(self.key_list, [key("root")])

    @property
    def snapshot(self) -> bytes:
        return sign_bundle(self.bundle, key("bundle"))

    def next_key_list(self, **changes: Any) -> None:
        """A newer list, and a newer bundle that names it."""
        self.key_list = replace(self.key_list, version=self.key_list.version + 1, **changes)
        digest = key_list_digest(self.key_list)
        self.next_bundle(key_list_version=self.key_list.version, key_list_digest=digest)

    def next_bundle(self, **changes: Any) -> None:
        self.bundle = replace(self.bundle, version=self.bundle.version + 1, **changes)

    def credential(self, index: int = 0, **changes: Any) -> bytes:
        body = Body(
            version=0,
            key_id=key_id(public("issuer")),
            event_tag=self.tag,
            token_id=token_id(1, index),
            serial=1,
            class_number=1,
            zone=0,
            seat=index,
            flags=0,
            not_before=self.now - 3600,
            lifetime_minutes=120,
            issued_at=self.now - 600,
            holder_key=public("holder"),
        )
        return sign_credential(replace(body, **changes), key("issuer"))

    def full(self, index: int = 0, at: int | None = None, **changes: Any) -> str:
        return to_digits(present_full(self.credential(index, **changes), _or_now(at), key("holder")))

    def compact(self, index: int = 0, at: int | None = None) -> str:
        code = present_compact(9, self.tag, token_id(1, index), 1, _or_now(at), key("holder"))
        return to_digits(code)

    def answer(self, challenge: str, index: int = 0) -> str:
        """The answer to the nine digits on a gate's screen, from a phone whose clock is wrong."""
        gate, digits = int(challenge[:3]), int(challenge[3:])
        return to_digits(answer_challenge(self.credential(index), gate, digits, 12345, key("holder")))

    def trust_root(self) -> dict[str, Any]:
        return {"platform_id": self.platform_id.hex(), "threshold": 1, "root_keys": [public("root").hex()]}

    def set_up_gate(self, folder: Path, server: str = "http://127.0.0.1:9") -> Path:
        """A gate's folder, as `truestub-gate init` makes it; without data yet."""
        root, token = folder.with_name("root.json"), folder.with_name("token.txt")
        root.write_text(json.dumps(self.trust_root()))
        token.write_text(TOKEN + "\n")
        asked = ["--data", str(folder), "init", "--root", str(root), "--token-file", str(token), "--server", server]
        assert main([*asked, "--event", str(self.event_id), "--number", str(GATE)]) == 0
        return folder

    def give_data(self, folder: Path) -> Path:
        """What a sync would have put there."""
        (folder / "keys.bin").write_bytes(self.signed_key_list)
        (folder / "bundle.bin").write_bytes(self.snapshot)
        return folder

    def gate_with_data(self, folder: Path) -> Path:
        return self.give_data(self.set_up_gate(folder))


Answer = tuple[int, bytes]


@contextmanager
def serving(answer: Callable[[str, str | None], Answer]) -> Iterator[str]:
    """A real HTTP server; `answer(path, authorization)` gives status and body. Its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(self.path, self.headers["Authorization"])
            self.send_response(status)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def serve_platform(platform: Platform) -> Callable[[str, str | None], Answer]:
    """The two downloads of a gate, by its token."""

    def answer(path: str, authorization: str | None) -> Answer:
        if authorization != f"Bearer {TOKEN}":
            return 401, b""
        if path == "/api/v1/keys":
            return 200, platform.signed_key_list
        if path.partition("?")[0] == f"/api/v1/events/{platform.event_id}/bundle":
            return 200, platform.snapshot
        return 404, b""

    return answer


def _or_now(at: int | None) -> int:
    return int(time.time()) if at is None else at
