"""A gate without a log: the real check, and a memory of its own."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from nacl.signing import SigningKey

from backend.credentials.messages import IssuedCredential
from credential.bundle import Bundle
from credential.codes import present_compact, present_full
from credential.digits import to_digits
from credential.keylist import KeyList
from verifier.check import check
from verifier.state import GateView
from verifier.verdict import Admission, Code


@dataclass
class Gate:
    number: int
    admitted: dict[tuple[bytes, int], Admission] = field(default_factory=dict)
    seen: dict[tuple[bytes, int], dict[bytes, int]] = field(default_factory=dict)

    def admission(self, event_tag: bytes, token_id: int) -> Admission | None:
        return self.admitted.get((event_tag, token_id))

    def seen_serials(self, event_tag: bytes, token_id: int) -> Mapping[bytes, int]:
        return self.seen.get((event_tag, token_id), {})

    def scan(self, text: str, key_list: KeyList, bundle: Bundle, now: int | None = None) -> Code:
        verdict = check(text, now or int(time.time()), key_list, bundle, self, GateView(self.number))
        if verdict.admission:
            self.admitted[verdict.admission.event_tag, verdict.admission.token_id] = verdict.admission
        return verdict.code


def full(issued: IssuedCredential, device: SigningKey, at: int | None = None) -> str:
    return to_digits(present_full(issued.credential, at or int(time.time()), device))


def compact(issued: IssuedCredential, device: SigningKey, at: int | None = None) -> str:
    shown = present_compact(
        issued.event_index, issued.event_tag, issued.token_id, issued.serial, at or int(time.time()), device
    )
    return to_digits(shown)
