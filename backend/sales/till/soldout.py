"""The quick "sold out": from memory, without the event's lock.

The memory may only err towards asking the till. So it forgets after `MEMORY_SECONDS` (another process may have given
tickets back), it forgets as soon as this process gives any back, and a request whose key was used before is never
answered from it: its first answer is in the database.
"""

import time
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Engine

from backend.db.engine import read
from backend.domain.selling.outcomes import Ended, MoneyBack, No, Outcome
from backend.domain.selling.requests import Hold, Request
from backend.sales.till.reading import keys_of, read_facts

MEMORY_SECONDS = 0.2  # "sold out" is at most this old


class SoldOut:
    """What one till remembers; used by its writer thread only."""

    def __init__(self, engine: Engine, event_id: UUID) -> None:
        self._engine = engine
        self._event_id = event_id
        self._refusals: dict[str, tuple[No, float]] = {}  # class code -> refusal, until

    def answers(self, requests: Sequence[Request]) -> list[Outcome | None]:
        """For each request the refusal that is remembered for it, or none."""
        if not self._refusals:
            return [None] * len(requests)
        now = time.monotonic()
        found = [self._of(request, now) for request in requests]
        asking = [request for request, no in zip(requests, found, strict=True) if no is not None]
        if not asking:
            return list(found)
        with read(self._engine) as connection:
            known = read_facts(connection, self._event_id, keys_of(asking), ()).keys
        return [
            None if isinstance(request, Hold) and (request.key.scope, request.key.digest) in known else no
            for request, no in zip(requests, found, strict=True)
        ]

    def learn(self, requests: Sequence[Request], outcomes: Sequence[Outcome]) -> None:
        """Remember fresh refusals; forget everything when tickets came back."""
        until = time.monotonic() + MEMORY_SECONDS
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, Ended | MoneyBack):
                self._refusals.clear()
            elif isinstance(outcome, No) and outcome.code == "sold_out" and isinstance(request, Hold):
                self._refusals.setdefault(outcome.details["class"], (outcome, until))

    def _of(self, request: Request, now: float) -> No | None:
        if not isinstance(request, Hold) or request.given or request.keep_ms is not None:
            return None  # what is refused to the street may be kept for these
        for line in request.lines:
            no, until = self._refusals.get(line.class_code, (None, 0.0))
            if no is not None:
                if now < until:
                    return no
                del self._refusals[line.class_code]
        return None
