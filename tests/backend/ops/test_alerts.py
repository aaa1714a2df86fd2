"""Whatever an operator must act upon is alerted: docs/operating/alerts.yml on the metrics of each fault."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import yaml  # type: ignore[import-untyped]

from backend.chain.diagnosis import Kind
from backend.chain.stuck import Cause
from backend.db.failures import UNWRITABLE
from backend.ops.disk import FULL_DISK_BYTES, LOW_DISK_BYTES
from backend.ops.health import judge
from backend.ops.metrics import Metrics
from backend.ops.readings import Readings
from backend.ops.sensors import Fault

TOP = Path(__file__).parents[3]
RULES = TOP / "docs" / "operating" / "alerts.yml"
NOW = 1_900_000_000_000
LONG_AGO = NOW - 86_400_000
WELL = Readings(at_ms=NOW, events_on_sale=1, index_block=0, index_seen_ms=NOW, free_bytes=LOW_DISK_BYTES)
FAULTS = {  # what is read -> the alert that somebody must get
    "database away": (replace(WELL, database_away_ms=LONG_AGO), "DatabaseAway"),
    "database without room": (replace(WELL, unwritable="storage_full", unwritable_ms=NOW), "DatabaseTakesNothing"),
    "database read-only": (replace(WELL, unwritable="read_only", unwritable_ms=NOW), "DatabaseTakesNothing"),
    "database unreachable for tills": (replace(WELL, unwritable="unreachable", unwritable_ms=NOW), "ShopDown"),
    "restored and not reconciled": (replace(WELL, restored_ms=LONG_AGO), "ShopDown"),
    "standby stalled": (replace(WELL, commits_wait_ms=LONG_AGO), "StandbyStalled"),
    "payments late": (replace(WELL, payments_late=6, payments_late_since_ms=LONG_AGO), "PaymentsLate"),
    "other amounts": (replace(WELL, payments_different=1, payments_different_ms=NOW), "AmountsDifferent"),
    "refunds refused": (replace(WELL, refunds_failed=1, refunds_failed_ms=NOW), "RefundsRefused"),
    "signer silent": (replace(WELL, signer_answers=False), "SignerSilent"),
    "no worker": (replace(WELL, worker_gone_ms=LONG_AGO), "WorkerGone"),
    "node unreachable": (replace(WELL, trouble="unreachable"), "NodeSilent"),
    "node behind": (replace(WELL, trouble="behind"), "NodeBehind"),
    "node rolled back": (replace(WELL, trouble="rolled_back"), "NodeRolledBack"),
    "node wiped": (replace(WELL, trouble="wiped"), "NodeWiped"),
    "account unfunded": (replace(WELL, stuck="unfunded"), "AccountUnfunded"),
    "transactions underpriced": (replace(WELL, stuck="underpriced"), "MempoolStuck"),
    "mempool stuck": (replace(WELL, stuck="stuck"), "MempoolStuck"),
    "chain refuses": (replace(WELL, stuck="refused"), "ChainRefuses"),
    "minting late": (replace(WELL, mints_oldest_ms=LONG_AGO, mints_queued=1), "MintingLate"),
    "index old": (replace(WELL, index_seen_ms=LONG_AGO), "NodeSilent"),
    "gates without news": (replace(WELL, bundle_oldest_ms=LONG_AGO), "GatesWithoutNews"),
    "disk low": (replace(WELL, free_bytes=LOW_DISK_BYTES - 1), "DiskLow"),
    "disk full": (replace(WELL, embedded=True, free_bytes=FULL_DISK_BYTES - 1), "DiskLow"),
    "sensor outside": (replace(WELL, sensor="rack", sensor_says="50", sensor_since_ms=LONG_AGO), "MachineRoom"),
    "sensor quiet": (replace(WELL, sensor="rack", sensor_fault="quiet", sensor_since_ms=LONG_AGO), "MachineRoom"),
    "sensor bad": (replace(WELL, sensor="rack", sensor_fault="bad_answer", sensor_since_ms=LONG_AGO), "MachineRoom"),
}
NOBODY_ACTS = {  # not yet set up, or over by itself; what lasts is minting that is late
    *(("minting", "no_node_yet"), ("index", "not_begun"), ("node", "unseen")),
    *(("minting", "catching_up"), ("minting", "reorganised"), ("node", "reorganised")),
}


def rules() -> dict[str, str]:
    return {
        rule["alert"]: rule["expr"]
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
        if "rate(" not in rule["expr"]
    }


def is_true(clause: str, readings: Readings) -> bool:
    """A comparison of one metric, as the rules here are."""
    match = re.fullmatch(r"(truestub_\w+)(?:\{(.*)\})? (==|>|<) ([\d.e* ]+)", clause)
    assert match, f"this test does not understand: {clause}"
    name, labels, sign, number = match.groups()
    wanted = dict(re.findall(r'(\w+)="([^"]*)"', labels or ""))
    limit = math.prod(float(one) for one in number.split(" * "))
    return any(
        {"==": sample.value == limit, ">": sample.value > limit, "<": sample.value < limit}[sign]
        for family in Metrics(lambda: readings, lambda: 0).registry.collect()
        for sample in family.samples
        if sample.name == name and wanted.items() <= sample.labels.items()
    )


def alerts_of(readings: Readings) -> set[str]:
    """Those whose expression is true; how long it must be is not looked at."""
    return {
        alert
        for alert, told in rules().items()
        if any(all(is_true(one, readings) for one in part.split(" and ")) for part in told.split(" or "))
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_somebody_is_told_of_every_fault(fault: str) -> None:
    readings, alert = FAULTS[fault]
    assert alert in alerts_of(readings)


def test_nobody_is_woken_while_all_is_well() -> None:
    assert alerts_of(replace(WELL, free_bytes=10**12)) == set()


def test_no_cause_of_health_is_without_its_fault_above() -> None:
    source = (TOP / "backend" / "ops" / "health.py").read_text()
    written = set(re.findall(r'Health\(\s*"(\w+)", "(?:waits|down)", "(\w+)"', source))
    computed = {("node", kind.value) for kind in Kind if kind is not Kind.OK}
    computed |= {("minting", cause) for cause in get_args(Cause)} | {("database", cause) for cause in UNWRITABLE}
    computed |= {("environment", fault) for fault in get_args(Fault)}
    known = {(one.component, one.cause) for readings, _alert in FAULTS.values() for one in judge(readings)}
    assert written
    assert (written | computed) - NOBODY_ACTS <= known
