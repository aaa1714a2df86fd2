"""KeyRegistry as a plain Python program, written from SPEC 5.1 and 8.10."""

from dataclasses import dataclass, field
from hashlib import sha256

from tests.contracts.model.refusal import Refusal, refuse_if
from tests.contracts.model.tickets import KEYS, RELAYER, Roles

ROTATED, COMPROMISED = 1, 2
EVERY_EVENT = b"\0" * 8


@dataclass
class Key:
    public_key: bytes
    role: int
    event_tag: bytes
    not_before: int
    not_after: int
    active_at: int
    revoked_at: int = 0
    reason: int = 0


@dataclass
class Registry(Roles):
    delay: int = 0
    known: int = KEYS | RELAYER
    keys: dict[bytes, Key] = field(default_factory=dict)
    anchors: dict[tuple[bytes, int], bytes] = field(default_factory=dict)

    def add_key(
        self, caller: str, role: int, event_tag: bytes, public_key: bytes, not_before: int, not_after: int
    ) -> list[str]:
        self.need(caller, KEYS)
        refuse_if(not 1 <= role <= 3, "KeyInvalid")
        refuse_if(not_before >= not_after, "KeyInvalid")
        key_id = sha256(public_key).digest()[:4]
        refuse_if(key_id in self.keys, "KeyIdTaken")
        active_at = self.clock.now + self.delay
        self.keys[key_id] = Key(public_key, role, event_tag, not_before, not_after, active_at)
        return ["KeyAdded"]

    def revoke_key(self, caller: str, key_id: bytes, reason: int) -> list[str]:
        self.need(caller, KEYS)
        refuse_if(reason not in (ROTATED, COMPROMISED), "ReasonInvalid")
        key = self.key(key_id)
        refuse_if(key.reason >= reason, "KeyAlreadyRevoked")
        key.revoked_at = key.revoked_at or self.clock.now
        key.reason = reason
        return ["KeyRevoked"]

    def valid(self, key_id: bytes, role: int, event_tag: bytes, time: int) -> bool:
        key = self.key(key_id)
        if key.role != role or key.event_tag not in (EVERY_EVENT, event_tag):
            return False
        if key.reason == COMPROMISED or (key.reason == ROTATED and time > key.revoked_at):
            return False
        return max(key.not_before, key.active_at) <= time < key.not_after

    def anchor(self, caller: str, event_tag: bytes, version: int, root: bytes) -> list[str]:
        self.need(caller, RELAYER)
        refuse_if(root == b"\0" * 32, "RootMissing")
        refuse_if(version <= self.version(event_tag), "VersionNotRising")
        self.anchors[event_tag, version] = root
        return ["BundleAnchored"]

    def version(self, event_tag: bytes) -> int:
        return max((version for tag, version in self.anchors if tag == event_tag), default=0)

    def key(self, key_id: bytes) -> Key:
        if key_id not in self.keys:
            raise Refusal("UnknownKey")
        return self.keys[key_id]
