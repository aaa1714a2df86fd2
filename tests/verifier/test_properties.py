"""Whatever is scanned: a verdict, never an exception, and never an admission that nobody signed for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credential.digits import DIGITS_OF, to_digits
from tests.vectors import world
from tests.vectors.cases import CHALLENGE, answer, compact, full
from verifier.check import check
from verifier.lines import MAX_LINE_CHARS, TOO_LONG, lines
from verifier.log import Index
from verifier.records import append
from verifier.state import GateView, OpenChallenge
from verifier.verdict import Code, Verdict

VIEW = GateView(world.GATE, connected=False, challenge=OpenChallenge(CHALLENGE, 1.0))
VALID = {"full": full(), "compact": compact(), "answer": answer()}
EXAMPLES = 400


def scan(text: str, now: int = world.NOW) -> Verdict:
    return check(text, now, world.KEY_LIST, world.BUNDLE, Index(), VIEW)


@pytest.mark.parametrize("payload", VALID.values(), ids=VALID)
def test_codes_that_the_mutations_start_from_are_admitted(payload: bytes) -> None:
    assert scan(to_digits(payload)).admitted


@given(st.text())
@settings(max_examples=EXAMPLES)
def test_random_text_is_malformed(text: str) -> None:
    assert scan(text).code is Code.MALFORMED


@given(st.sampled_from(sorted(DIGITS_OF.values())).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n)))
@settings(max_examples=EXAMPLES)
def test_random_digits_of_the_right_length_are_not_admitted(text: str) -> None:
    assert not scan(text).admitted


@given(st.sampled_from(sorted(DIGITS_OF)).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
@settings(max_examples=EXAMPLES)
def test_random_payloads_are_not_admitted(payload: bytes) -> None:
    assert not scan(to_digits(payload)).admitted


@given(
    st.sampled_from(sorted(VALID)),
    st.lists(st.tuples(st.integers(0, 210), st.integers(1, 255)), min_size=1, max_size=8, unique_by=lambda one: one[0]),
)
@settings(max_examples=EXAMPLES)
def test_changed_bytes_of_a_valid_code_are_not_admitted(kind: str, changes: list[tuple[int, int]]) -> None:
    payload = bytearray(VALID[kind])
    for at, mask in changes:
        payload[at % len(payload)] ^= mask
    if bytes(payload) != VALID[kind]:
        assert not scan(to_digits(bytes(payload))).admitted


@given(st.sampled_from(sorted(VALID)), st.sampled_from(sorted(VALID)), st.integers(0, 211))
def test_codes_spliced_together_are_not_admitted(one: str, other: str, at: int) -> None:
    size = len(VALID[one])
    spliced = (VALID[one][: at % size] + VALID[other][-(size - at % size) :])[:size].ljust(size, b"\0")
    assert spliced in VALID.values() or not scan(to_digits(spliced)).admitted


@given(st.sampled_from(sorted(VALID)), st.data())
@settings(max_examples=EXAMPLES)
def test_text_edits_of_a_valid_code_are_malformed(kind: str, data: st.DataObject) -> None:
    text = to_digits(VALID[kind])
    at = data.draw(st.integers(0, len(text)))
    edited = text[:at] + data.draw(st.text(min_size=1, max_size=3)) + text[at:]
    assert scan(edited).code is Code.MALFORMED


@given(st.sampled_from(["full", "compact"]), st.integers(0, 0xFFFFFFFF) | st.integers(world.NOW - 60, world.NOW + 60))
@settings(max_examples=EXAMPLES)
def test_no_clock_admits_a_code_outside_its_forty_seconds(kind: str, now: int) -> None:
    assert scan(to_digits(VALID[kind]), now).admitted == (-10 <= now - world.NOW <= 30)


@given(st.integers(-(1 << 40), 1 << 40))
@settings(max_examples=EXAMPLES)
def test_whatever_the_gates_clock_says_an_admission_can_be_recorded(now: int) -> None:
    verdict = scan(to_digits(VALID["answer"]), now)
    recorded = verdict.admission or verdict.seen

    assert recorded is None or append(b"", recorded)


@given(st.lists(st.binary(min_size=1, max_size=2000)), st.binary(max_size=5))
@settings(max_examples=EXAMPLES)
def test_lines_are_bounded_and_the_next_one_is_whole(chunks: list[bytes], ending: bytes) -> None:
    source = iter([*chunks, b"\n", b"12345", b"\r\n", ending, b""])
    found = list(lines(lambda: next(source)))

    assert all(line == TOO_LONG or len(line) <= MAX_LINE_CHARS for line in found)
    assert "12345" in found
