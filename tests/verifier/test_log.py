"""The admission log never forgets what it acknowledged, and never pretends to know what it can't read."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from verifier.errors import GateError
from verifier.log import AdmissionLog, NotRecordedError, create_log, read_contents
from verifier.records import HEADER_BYTES, Contents, Damaged, Record, read_log
from verifier.verdict import Admission, Kind, SeenSerial
from verifier.witness import path_beside

TAG = b"eventtag"


def admission(token: int, at: int = 1000) -> Admission:
    return Admission(TAG, token, 1, b"keyi", Kind.FULL, at, 2, 7, bytes([token % 256]) * 203)


def seen(token: int, serial: int) -> SeenSerial:
    return SeenSerial(TAG, token, serial, b"keyi", 1000, bytes(203))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_log(tmp_path / "admissions.log")
    return tmp_path / "admissions.log"


@pytest.fixture
def filled(path: Path) -> Path:
    log = AdmissionLog.open(path)
    for token in (1, 2, 3):
        log.record(admission(token))
    log.close()
    return path


def tokens(path: Path) -> list[int]:
    return [record.token_id for record in read_contents(path).records]


def test_records_are_read_back_as_they_were_written(path: Path) -> None:
    records: list[Record] = [
        admission(1),
        seen(2, 9),
        Admission(TAG, 3, 4, bytes(4), Kind.COMPACT, 5, 6, 7, b"evidence"),
    ]
    log = AdmissionLog.open(path)
    for record in records:
        log.record(record)
    log.close()

    assert list(read_contents(path).records) == records


def test_reopened_log_remembers_and_goes_on(filled: Path) -> None:
    log = AdmissionLog.open(filled)
    remembered = log.index.admission(TAG, 2)
    log.record(admission(4))
    log.close()

    assert remembered == admission(2)
    assert tokens(filled) == [1, 2, 3, 4]


def test_highest_serial_is_remembered_by_issuing_key(path: Path) -> None:
    log = AdmissionLog.open(path)
    for serial in (3, 7, 5):
        log.record(seen(1, serial))
    log.close()

    assert AdmissionLog.open(path).index.seen_serials(TAG, 1) == {b"keyi": 7}


def test_torn_tail_of_any_length_loses_only_what_was_never_acknowledged(filled: Path) -> None:
    whole = filled.read_bytes()
    log = AdmissionLog.open(filled)
    log.record(admission(4))
    log.close()
    longer = filled.read_bytes()

    for cut in range(len(whole), len(longer)):
        filled.write_bytes(longer[:cut])
        log = AdmissionLog.open(filled)
        log.record(admission(5))
        log.close()
        assert tokens(filled) == [1, 2, 3, 5], cut


def test_tail_of_zeros_after_a_power_cut_is_dropped(filled: Path) -> None:
    whole = filled.read_bytes()
    log = AdmissionLog.open(filled)
    log.record(admission(4))
    log.close()
    longer = filled.read_bytes()

    for written in (0, 1, 2, 3, 4, 50, len(longer) - len(whole) - 8):
        kept = longer[: len(whole) + written]
        for size in (len(longer), len(longer) if written else len(longer) + 4096):
            filled.write_bytes(kept.ljust(size, b"\0"))
            AdmissionLog.open(filled).close()
            assert tokens(filled) == [1, 2, 3], (written, size)


def test_any_changed_byte_of_an_acknowledged_record_is_refused(filled: Path) -> None:
    whole = filled.read_bytes()

    accepted = []
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 0xFF
        if not isinstance(read_log(bytes(changed)), Damaged):
            accepted.append(at)

    assert accepted == []


def test_any_flipped_bit_of_the_last_record_is_refused_not_forgotten(filled: Path) -> None:
    whole = filled.read_bytes()
    contents = read_log(whole)
    assert isinstance(contents, Contents)
    start = HEADER_BYTES + (len(whole) - HEADER_BYTES) * 2 // 3  # three records of one size

    for bit in range(8 * (len(whole) - start)):
        changed = bytearray(whole)
        changed[start + bit // 8] ^= 1 << bit % 8
        assert isinstance(read_log(bytes(changed)), Damaged), bit


def test_record_taken_out_of_the_middle_is_damage(filled: Path) -> None:
    whole = filled.read_bytes()
    size = (len(whole) - HEADER_BYTES) // 3
    without_second = whole[: HEADER_BYTES + size] + whole[HEADER_BYTES + 2 * size :]

    assert isinstance(read_log(without_second), Damaged)


def test_record_of_another_log_is_damage(filled: Path, tmp_path: Path) -> None:
    create_log(tmp_path / "other.log")
    log = AdmissionLog.open(tmp_path / "other.log")
    log.record(admission(9))
    log.close()
    other = (tmp_path / "other.log").read_bytes()[HEADER_BYTES:]

    assert isinstance(read_log(filled.read_bytes()[:HEADER_BYTES] + other), Damaged)


def test_damaged_log_is_refused_with_a_sentence_and_left_as_it_is(filled: Path) -> None:
    whole = bytearray(filled.read_bytes())
    whole[HEADER_BYTES + 20] ^= 1
    filled.write_bytes(whole)

    with pytest.raises(GateError) as caught:
        AdmissionLog.open(filled)

    assert caught.value.code == "log_damaged"
    assert "Do not delete" in caught.value.sentence
    assert filled.read_bytes() == bytes(whole)


def test_missing_log_is_not_begun_anew(tmp_path: Path) -> None:
    with pytest.raises(GateError) as caught:
        AdmissionLog.open(tmp_path / "admissions.log")

    assert caught.value.code == "log_missing"
    assert not (tmp_path / "admissions.log").exists()


def test_log_that_exists_is_never_replaced(filled: Path) -> None:
    with pytest.raises(FileExistsError):
        create_log(filled)

    assert tokens(filled) == [1, 2, 3]


def test_full_disk_leaves_nothing_behind_and_the_log_usable(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, real_write = filled.read_bytes(), os.write
    log = AdmissionLog.open(filled)

    def half_then_full(descriptor: int, data: bytes) -> int:
        if len(data) > 100:
            return real_write(descriptor, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "write", half_then_full)
        with pytest.raises(NotRecordedError):
            log.record(admission(4))

    assert filled.read_bytes() == whole
    assert log.index.admission(TAG, 4) is None
    log.record(admission(4))
    log.close()
    assert tokens(filled) == [1, 2, 3, 4]


def test_disk_that_fails_to_flush_stops_all_recording(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AdmissionLog.open(filled)

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as dying:
        dying.setattr("verifier.log.flush", failing)
        with pytest.raises(NotRecordedError):
            log.record(admission(4))

    with pytest.raises(NotRecordedError):
        log.record(admission(5))
    log.close()
    assert tokens(filled) == [1, 2, 3]


def test_system_limit_on_file_size_is_a_full_disk_too(filled: Path) -> None:
    """The kernel itself refuses the write, half-way through a record."""
    script = f"""
import resource, signal, sys
from pathlib import Path
from tests.verifier.test_log import admission
from verifier.log import AdmissionLog, NotRecordedError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = AdmissionLog.open(Path({str(filled)!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, ({filled.stat().st_size + 50}, resource.RLIM_INFINITY))
try:
    log.record(admission(4))
except NotRecordedError:
    sys.exit(42)
"""
    whole = filled.read_bytes()

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 42
    assert filled.read_bytes() == whole
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_record_is_flushed_before_it_is_acknowledged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real_write, real_flush = os.write, os.fsync

    def write(descriptor: int, data: bytes) -> int:
        calls.append("write")
        return real_write(descriptor, data)

    def fsync(descriptor: int) -> None:
        calls.append("fsync")
        real_flush(descriptor)

    log = AdmissionLog.open(path)
    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "fsync", fsync)
    log.record(admission(1))
    log.close()

    assert calls == ["write", "fsync"]


def cut(path: Path, records: int) -> None:
    """Take the last records off, as an editor or a half-restored copy would."""
    data = path.read_bytes()
    contents = read_log(data)
    assert isinstance(contents, Contents)
    size = (len(data) - HEADER_BYTES) // len(contents.records)  # these tests write records of one size
    path.write_bytes(data[: len(data) - records * size])


@pytest.mark.parametrize("records", [1, 2, 3])
def test_log_cut_between_two_records_is_noticed_and_goes_on(filled: Path, records: int) -> None:
    assert not AdmissionLog.open(filled).shortened
    cut(filled, records)
    for token in range(10, 16):  # also once it is longer than it was
        log = AdmissionLog.open(filled)
        assert log.shortened
        log.record(admission(token))
        log.close()


def test_log_put_back_from_another_copy_is_noticed(filled: Path) -> None:
    other = bytearray(filled.read_bytes())
    log = AdmissionLog.open(filled)
    log.record(admission(4))
    log.close()
    filled.write_bytes(other)
    log = AdmissionLog.open(filled)
    assert log.shortened
    log.record(admission(5))
    assert log.index.admission(TAG, 5)
    log.close()


@pytest.mark.parametrize("damage", [b"", b"\0" * 44, b"TSW\0", None])
def test_gate_without_a_witness_works(filled: Path, damage: bytes | None) -> None:
    witness = path_beside(filled)
    witness.unlink() if damage is None else witness.write_bytes(damage)
    log = AdmissionLog.open(filled)
    assert not log.shortened
    log.record(admission(4))
    log.close()
    cut(filled, 1)
    assert AdmissionLog.open(filled).shortened


def test_witness_that_cannot_be_written_keeps_nobody_out(path: Path) -> None:
    path_beside(path).mkdir()
    log = AdmissionLog.open(path)
    log.record(admission(1))
    assert log.index.admission(TAG, 1)
    log.close()
