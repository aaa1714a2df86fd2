"""One gate at work: what is decided purely is made durable here, and only then shown (SPEC 6, 7)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from verifier.bundle_store import BundleStore
from verifier.check import check
from verifier.log import AdmissionLog, NotRecordedError
from verifier.state import GateView, OpenChallenge
from verifier.steps import CHALLENGE_SECONDS
from verifier.verdict import Code, Verdict

CHALLENGES = 1_000_000  # six digits


@dataclass(frozen=True, slots=True)
class World:
    """What a gate needs from outside. `clock` in Unix seconds; `timer` in seconds, never set back; `draw(n)` < n."""

    clock: Callable[[], float]
    timer: Callable[[], float]
    draw: Callable[[int], int]


class Gate:
    """Scans, one after the other. Holds the open challenge; everything that must survive is in the log."""

    def __init__(self, number: int, store: BundleStore, log: AdmissionLog, world: World) -> None:
        self._number, self._store, self._log, self._world = number, store, log, world
        self._challenge: tuple[int, float] | None = None  # its six digits, and when it was opened by the timer

    def scan(self, text: str) -> Verdict:
        """The verdict on one scanned text. An admission is on the disk when this returns it."""
        self._store.reload()
        key_list, bundle = self._store.key_list, self._store.bundle
        if key_list is None or bundle is None:
            return Verdict(Code.NO_DATA)
        view = GateView(self._number, connected=False, challenge=self._open_challenge())
        verdict = check(text, self.now(), key_list, bundle, self._log.index, view)
        if verdict.met_challenge:
            self._challenge = None
        try:
            if verdict.admission is not None:
                self._log.record(verdict.admission)
            elif verdict.seen is not None:
                self._log.record(verdict.seen)
        except NotRecordedError:
            return replace(verdict, code=Code.NOT_RECORDED, admission=None, seen=None)
        return verdict

    def challenge(self) -> str:
        """Open a new challenge, in place of the one before: nine digits for the holder to type (SPEC 3.4)."""
        digits = self._world.draw(CHALLENGES)
        self._challenge = (digits, self._world.timer())
        return f"{self._number:03d}{digits:06d}"

    def challenge_seconds_left(self) -> float:
        """How long an answer is still taken; 0 if no challenge is open."""
        challenge = self._open_challenge()
        return 0 if challenge is None else max(0, CHALLENGE_SECONDS - challenge.age_seconds)

    def now(self) -> int:
        """The gate's clock, Unix seconds."""
        return int(self._world.clock())

    def _open_challenge(self) -> OpenChallenge | None:
        if self._challenge is None:
            return None
        digits, opened = self._challenge
        return OpenChallenge(digits, self._world.timer() - opened)
