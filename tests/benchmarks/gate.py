"""How fast a gate decides, as a ratio to what cannot be avoided, measured in the same run.

`python -m tests.benchmarks.gate`. Limits: two bare Ed25519 verifications for a full code, one for a compact one; one
write and one flush for an admission.
"""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from nacl.signing import VerifyKey

from credential.bundle import Batch, Bundle, Ticket, Tickets, sign_bundle, verify_bundle
from credential.digits import to_digits
from tests.vectors import world
from tests.vectors.cases import compact, full
from verifier.check import check
from verifier.log import AdmissionLog, Index, create_log, flush
from verifier.state import GateView
from verifier.verdict import Admission, Kind

ROUNDS = 2000
RECORDS = 300
TICKETS = 50_000


def main() -> None:
    message, signature = b"m" * 100, world.key("alice").sign(b"m" * 100).signature
    verifier = VerifyKey(world.public("alice"))
    one = _seconds(lambda: verifier.verify(message, signature), ROUNDS)
    print(f"one bare Ed25519 verification: {one * 1e6:.0f} us")
    for kind, payload, limit in (("full", full(), 2 * one), ("compact", compact(), one)):
        taken = _seconds(partial(_admit, to_digits(payload)), ROUNDS)
        print(f"check of a {kind} code: {taken * 1e6:.0f} us, {1 / taken:.0f}/s, {taken / limit:.1f} x the signatures")
    _log()
    _bundle()


def _admit(text: str) -> None:
    assert check(text, world.NOW, world.KEY_LIST, world.BUNDLE, Index(), GateView(world.GATE)).admitted


def _log() -> None:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        bare = os.open(Path(folder) / "bare", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        limit = _seconds(partial(_write, bare), RECORDS)
        os.close(bare)
        create_log(Path(folder) / "log")
        log = AdmissionLog.open(Path(folder) / "log")
        tokens = iter(range(10 * RECORDS))
        taken = _seconds(lambda: log.record(_admission(next(tokens))), RECORDS)
        log.close()
    print(f"durable admission: {taken * 1e3:.2f} ms, {taken / limit:.2f} x a bare write and flush")


def _write(descriptor: int) -> None:
    os.write(descriptor, bytes(270))
    flush(descriptor)


def _admission(token: int) -> Admission:
    return Admission(world.TAG, token, 1, bytes(4), Kind.FULL, world.NOW, 1, 1, bytes(203))


def _bundle() -> None:
    rows = Tickets.of([Ticket(serial=1, holder_key=world.public("alice"), seat=seat) for seat in range(TICKETS)])
    bundle = replace(world.BUNDLE, batches=(Batch(TICKETS, 1),), tickets=rows)
    signed = sign_bundle(bundle, world.key("bundle"))
    verified = _seconds(lambda: isinstance(verify_bundle(signed, world.KEY_LIST), Bundle), 20)
    print(f"bundle of {TICKETS} tickets with holder keys: {len(signed)} bytes, verified in {verified * 1e3:.1f} ms")


def _seconds(work: Callable[[], object], times: int) -> float:
    """The best of three runs, a call."""
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(times):
            work()
        best = min(best, time.perf_counter() - started)
    return best / times


if __name__ == "__main__":
    main()
