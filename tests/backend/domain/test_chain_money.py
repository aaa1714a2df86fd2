"""Payments on the chain: what is believed, and when."""

from itertools import product

from backend.chain.logs import RawLog, topic
from backend.chain.market import ORDER_PAID, OrderClosed, OrderPaid, Wanted, read_log
from backend.domain.chain_money import DAY_MS, fate, may_release, why_not_back

WANTED = Wanted(b"\x11" * 20, 3, 4950, b"\x22" * 32)


def log(topics: bytes, data: bytes) -> RawLog:
    return RawLog(1, 0, bytes(32), bytes(32), bytes(20), topics, data)


def test_silence_is_no_proof_that_nothing_was_paid() -> None:
    """However late it is by our own clock, only the chain's time past the deadline ends the wait."""
    assert fate(came=False, seen=False, pay_by_ms=1000, final_time_ms=1000) == "unknown"
    assert fate(came=False, seen=False, pay_by_ms=1000, final_time_ms=0) == "unknown"
    assert fate(came=False, seen=False, pay_by_ms=1000, final_time_ms=1001) == "declined"


def test_what_is_seen_but_not_final_is_neither_believed_nor_given_up() -> None:
    assert fate(came=False, seen=True, pay_by_ms=1000, final_time_ms=9999) == "unknown"


def test_money_in_a_final_block_came_whatever_the_time() -> None:
    for seen, final in product((True, False), (0, 9999)):
        assert fate(came=True, seen=seen, pay_by_ms=1000, final_time_ms=final) == "succeeded"


def test_contract_gives_back_an_order_whole_and_before_release_only() -> None:
    assert why_not_back("held", amount_minor=100, whole_minor=100) is None
    assert why_not_back("held", amount_minor=99, whole_minor=100) == "refund_whole_only"
    assert why_not_back("releasing", amount_minor=100, whole_minor=100) == "refund_after_release"
    assert why_not_back("released", amount_minor=100, whole_minor=100) == "refund_after_release"


def test_organiser_gets_the_money_at_the_doors_and_before_the_payer_may_take_it_back() -> None:
    doors = 100 * DAY_MS
    assert not may_release(event_state="on_sale", doors_ms=doors, paid_ms=doors - DAY_MS, now_ms=doors - 1)
    assert may_release(event_state="on_sale", doors_ms=doors, paid_ms=doors - DAY_MS, now_ms=doors)
    assert may_release(event_state="on_sale", doors_ms=doors, paid_ms=0, now_ms=29 * DAY_MS)
    assert not may_release(event_state="cancelled", doors_ms=doors, paid_ms=0, now_ms=doors)


def test_a_reference_binds_contract_class_amount_and_salt() -> None:
    others = [
        Wanted(b"\x12" * 20, 3, 4950, b"\x22" * 32),
        Wanted(b"\x11" * 20, 2, 4950, b"\x22" * 32),
        Wanted(b"\x11" * 20, 3, 4949, b"\x22" * 32),
        Wanted(b"\x11" * 20, 3, 4950, b"\x23" * 32),
    ]
    assert len({one.ref for one in (WANTED, *others)}) == 5


def test_logs_that_have_not_the_shape_of_ours_say_nothing() -> None:
    words = ORDER_PAID + b"\x01" * 32 + bytes(12) + b"\x11" * 20 + bytes(12) + b"\x33" * 20
    data = (2).to_bytes(32) + (4950).to_bytes(32)
    assert read_log(log(words, data)) == OrderPaid(b"\x01" * 32, b"\x11" * 20, b"\x33" * 20, 3, 4950)
    assert read_log(log(words[:-32], data)) is None
    assert read_log(log(words, data + bytes(1))) is None
    assert read_log(log(words, (256).to_bytes(32) + data[32:])) is None
    assert read_log(log(words, data[:32] + (2**40).to_bytes(32))) is None
    refunded = topic("OrderRefunded(bytes32,address)") + b"\x01" * 32 + bytes(32)
    assert read_log(log(refunded, b"")) == OrderClosed(b"\x01" * 32, "refunded")
    assert read_log(log(refunded[:64], b"")) is None
