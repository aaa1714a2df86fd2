"""While a batch is stuck, few wait and the others are told at once to come back: threads stay free for others."""

import threading
import time
from typing import Any

import pytest
from sqlalchemy import Engine

from backend.errors import Refused
from backend.sales.till import till as till_module
from backend.sales.till.batch import run_batch
from backend.sales.till.till import SHED_WAITING, Till
from tests.support.shop import floor, put_on_sale

DEADLINE_SECONDS = 60


def test_a_stuck_till_turns_away_what_it_cannot_serve_and_serves_what_it_took(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = put_on_sale(postgres_engine, floor=100)
    till = Till(postgres_engine, event_id)
    till.ask(floor())
    go_on, run = threading.Event(), run_batch

    def slow(*arguments: Any) -> Any:
        go_on.wait(DEADLINE_SECONDS)
        return run(*arguments)

    monkeypatch.setattr(till_module, "run_batch", slow)
    monkeypatch.setattr(till_module, "STUCK_SECONDS", 0.05)
    answers: list[Any] = []
    buyers = [threading.Thread(target=lambda: answers.append(till.ask(floor()))) for _ in range(SHED_WAITING + 1)]
    buyers[0].start()
    wait_until(lambda: till._began is not None)
    for buyer in buyers[1:]:
        buyer.start()
    wait_until(lambda: till.waiting >= SHED_WAITING and till._is_stuck())
    with pytest.raises(Refused, match="too_busy"):
        till.ask(floor())
    go_on.set()
    for buyer in buyers:
        buyer.join(DEADLINE_SECONDS)
    assert len(answers) == SHED_WAITING + 1
    till.ask(floor())


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
