"""From readings to health: what fails, what it drags along, and what is said."""

from dataclasses import replace
from typing import get_args

import pytest

from backend.chain.stuck import Cause
from backend.ops.disk import FULL_DISK_BYTES, LOW_DISK_BYTES
from backend.ops.health import LATE_BUNDLE_MS, LATE_MINT_MS, QUIET_INDEX_MS, WORKER_GONE_MS, judge
from backend.ops.health_words import sentence
from backend.ops.readings import Readings

NOW = 1_900_000_000_000
WELL = Readings(at_ms=NOW, events_on_sale=1, index_block=0, index_seen_ms=NOW, free_bytes=LOW_DISK_BYTES)


def troubled(readings: Readings) -> dict[str, tuple[str, str]]:
    return {one.component: (one.state, one.cause) for one in judge(readings) if one.state != "works"}


def test_a_well_platform_has_no_trouble() -> None:
    assert troubled(WELL) == {}


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        (
            replace(WELL, trouble="unreachable", trouble_since_ms=NOW - 1),
            {"minting": ("waits", "unreachable"), "node": ("down", "unreachable")},
        ),
        (
            replace(WELL, trouble="reorganised", trouble_since_ms=NOW - 1),
            {"minting": ("waits", "reorganised"), "node": ("waits", "reorganised")},
        ),
        (replace(WELL, mints_behind=7, trouble_over_ms=NOW), {"minting": ("waits", "catching_up")}),
        (replace(WELL, stuck="unfunded", stuck_since_ms=NOW, mints_behind=7), {"minting": ("waits", "unfunded")}),
        (replace(WELL, mints_oldest_ms=NOW - LATE_MINT_MS - 1), {"minting": ("waits", "late")}),
        (replace(WELL, mints_oldest_ms=NOW - LATE_MINT_MS), {}),
        (replace(WELL, worker_gone_ms=NOW - WORKER_GONE_MS - 1), {"minting": ("waits", "no_worker")}),
        (replace(WELL, worker_gone_ms=NOW - WORKER_GONE_MS), {}),
        (replace(WELL, index_seen_ms=NOW - QUIET_INDEX_MS - 1), {"index": ("waits", "old")}),
        (replace(WELL, bundle_oldest_ms=NOW - LATE_BUNDLE_MS - 1), {"gate_sync": ("waits", "old")}),
        (replace(WELL, payments_late=2, payments_late_since_ms=NOW), {"payments": ("waits", "late")}),
        (replace(WELL, restored_ms=NOW), {"sales": ("down", "restored")}),
        (
            replace(WELL, restored_ms=NOW, payments_late=2, trouble="unreachable", bundle_oldest_ms=1, index_seen_ms=1),
            {
                "sales": ("down", "restored"),
                **dict.fromkeys(("payments", "minting", "index", "node", "gate_sync"), ("waits", "restored")),
            },
        ),
        (replace(WELL, signer_answers=False), {"signer": ("down", "silent")}),
        (replace(WELL, free_bytes=LOW_DISK_BYTES - 1), {"disk": ("waits", "low")}),
        (replace(WELL, free_bytes=FULL_DISK_BYTES - 1), {"disk": ("down", "full")}),
    ],
)
def test_each_fault_is_told_of_its_component(readings: Readings, expected: dict[str, tuple[str, str]]) -> None:
    assert troubled(readings) == expected


def test_without_its_database_the_shop_is_down_and_the_rest_is_what_was_known() -> None:
    away = replace(WELL, database_away_ms=NOW - 5, mints_queued=3)
    found = troubled(away)
    assert found["sales"] == ("down", "database")
    assert found["database"] == ("down", "silent")
    assert {one.component: one.state for one in judge(away)}["disk"] == "works"


@pytest.mark.parametrize(
    ("unwritable", "cause", "database"),
    [
        ("storage_full", "storage_full", "storage_full"),
        ("read_only", "read_only", "read_only"),
        ("unreachable", "database", "silent"),
    ],
)
def test_what_keeps_the_till_from_writing_stops_sales_and_is_no_fault_of_the_worker(
    unwritable: str, cause: str, database: str
) -> None:
    found = troubled(replace(WELL, unwritable=unwritable, unwritable_ms=NOW, worker_gone_ms=1))
    assert found == {"sales": ("down", cause), "payments": ("waits", cause), "database": ("down", database)}


def test_an_embedded_database_on_a_full_disk_may_not_take_an_order() -> None:
    full = replace(WELL, embedded=True, free_bytes=FULL_DISK_BYTES - 1)
    assert troubled(full) == {"sales": ("waits", "disk"), "disk": ("down", "full")}


def test_every_cause_has_words_in_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [
        WELL,
        replace(WELL, database_away_ms=NOW),
        *[replace(WELL, trouble=kind) for kind in ("unreachable", "behind", "reorganised", "rolled_back", "wiped")],
        replace(
            WELL,
            mints_behind=1,
            bundle_oldest_ms=1,
            free_bytes=1,
            signer_answers=False,
            payments_late=1,
            refunds_failed=2,
        ),
        replace(WELL, index_block=None),
        *[replace(WELL, stuck=cause) for cause in get_args(Cause)],
        *[replace(WELL, unwritable=kind) for kind in ("storage_full", "read_only", "unreachable")],
        replace(WELL, embedded=True, free_bytes=1),
        replace(WELL, commits_wait_ms=1),
    ]
    told: dict[str, set[str]] = {"en": set(), "zh": set()}
    for language, sentences in told.items():
        monkeypatch.setenv("LANGUAGE", language)
        sentences |= {sentence(one.component, one.cause, one.facts) for case in bad for one in judge(case)}
    assert all(" " in text for text in told["en"])
    assert all(not text.isascii() for text in told["zh"])
    assert not told["en"] & told["zh"]
