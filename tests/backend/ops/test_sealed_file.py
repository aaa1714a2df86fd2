"""A backup can be read by its key alone, whole or not at all."""

import io

import pytest
from nacl.public import PrivateKey

from backend.errors import Refused
from backend.ops.sealed_file import CHUNK_BYTES, SealedWriter, unseal

KEY = PrivateKey.from_seed(bytes(range(32)))


def sealed(plain: bytes, piece: int = 10_240) -> bytes:
    target = io.BytesIO()
    writer = SealedWriter(target, KEY.public_key)
    for at in range(0, len(plain), piece):
        writer.write(plain[at : at + piece])
    writer.finish()
    return target.getvalue()


def opened(data: bytes, key: PrivateKey = KEY) -> bytes:
    return b"".join(unseal(io.BytesIO(data), key))


@pytest.mark.parametrize("piece", [10_240, 5 * CHUNK_BYTES])
@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_was_sealed_is_read_again(size: int, piece: int) -> None:
    plain = bytes(i % 251 for i in range(size))
    assert opened(sealed(plain, piece)) == plain


def test_a_thief_without_the_key_reads_nothing() -> None:
    data = sealed(b"who bought what")
    assert b"who bought" not in data
    with pytest.raises(Refused, match="wrong_backup_key"):
        opened(data, PrivateKey.from_seed(bytes(32)))


@pytest.mark.parametrize("cut", [3, 50, 100, 120, 2 * CHUNK_BYTES])
def test_a_backup_cut_in_half_is_refused(cut: int) -> None:
    data = sealed(bytes(3 * CHUNK_BYTES))
    with pytest.raises(Refused):
        opened(data[:cut])


def test_dropping_the_last_whole_message_is_refused() -> None:
    data = sealed(bytes(2 * CHUNK_BYTES))
    with pytest.raises(Refused, match="damaged_backup"):
        opened(data[: len(data) - CHUNK_BYTES - 17])


def test_every_flipped_bit_is_noticed() -> None:
    data = sealed(b"sold")
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 1
        with pytest.raises(Refused):
            opened(bytes(broken))


def test_something_appended_is_refused() -> None:
    with pytest.raises(Refused, match="damaged_backup"):
        opened(sealed(b"sold") + b"x")
