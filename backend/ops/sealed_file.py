"""Encrypted files that only the holder of an offline key can open: what backups are written as.

The host that makes a backup holds the public key alone, so that a thief of the host and of the backups can't read them.

Format, big-endian: `TSB` and a version byte 0 · sealed box of the file's 32-byte key (80 bytes, X25519,
`crypto_box_seal`) · secretstream header (24) · messages of at most 64 KiB each, the last tagged FINAL
(`crypto_secretstream_xchacha20poly1305`, libsodium). Truncation, reordering and change are found while reading; a
reader must not use what it read before the end was reached.

Evolution: another format takes another version byte; a reader refuses versions it does not know.
"""

from collections.abc import Iterator
from io import BufferedIOBase
from typing import TYPE_CHECKING, BinaryIO

from nacl import bindings as sodium
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from backend.errors import refuse
from backend.i18n import gettext as _

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MAGIC = b"TSB\0"
CHUNK_BYTES = 64 * 1024  # of plaintext in a message
_SEALED_BYTES = 32 + 48
_HEADER_BYTES = sodium.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_CHUNK_SEALED = CHUNK_BYTES + sodium.crypto_secretstream_xchacha20poly1305_ABYTES
_MORE = sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_FINAL = sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL


class SealedWriter(BufferedIOBase):
    """A file to write plaintext to, of which `target` gets only what the private key's holder can read.

    It is complete once `finish` has returned; without it a reader finds it cut short.
    """

    def __init__(self, target: BinaryIO, public_key: PublicKey) -> None:
        key = sodium.crypto_secretstream_xchacha20poly1305_keygen()
        self._state = sodium.crypto_secretstream_xchacha20poly1305_state()
        header = sodium.crypto_secretstream_xchacha20poly1305_init_push(self._state, key)
        self._target = target
        self._plain = bytearray()
        target.write(MAGIC + SealedBox(public_key).encrypt(key) + header)

    def write(self, data: "ReadableBuffer", /) -> int:
        """Take all of `data`."""
        piece = bytes(data)
        self._plain += piece
        while len(self._plain) > CHUNK_BYTES:  # the last message is another, so one is kept back
            self._push(bytes(self._plain[:CHUNK_BYTES]), _MORE)
            del self._plain[:CHUNK_BYTES]
        return len(piece)

    def finish(self) -> None:
        """Write what is left, as the end."""
        self._push(bytes(self._plain), _FINAL)

    def _push(self, plain: bytes, tag: int) -> None:
        self._target.write(sodium.crypto_secretstream_xchacha20poly1305_push(self._state, plain, MAGIC, tag))


def unseal(source: BinaryIO, private_key: PrivateKey) -> Iterator[bytes]:
    """The plaintext in pieces; raises `Refused` when the key is another's or the file was cut or changed."""
    if source.read(len(MAGIC)) != MAGIC:
        raise refuse("not_a_backup", _("This file is not a Truestub backup, or of a newer version."))
    try:
        key = SealedBox(private_key).decrypt(source.read(_SEALED_BYTES))
    except CryptoError as error:
        raise refuse(
            "wrong_backup_key", _("This backup was made for another key, or its beginning is damaged.")
        ) from error
    state = sodium.crypto_secretstream_xchacha20poly1305_state()
    try:
        sodium.crypto_secretstream_xchacha20poly1305_init_pull(state, source.read(_HEADER_BYTES), key)
        tag = _MORE
        while tag != _FINAL:
            chunk = source.read(_CHUNK_SEALED)
            piece, tag = sodium.crypto_secretstream_xchacha20poly1305_pull(state, chunk, MAGIC)
            yield piece
    except (CryptoError, RuntimeError, ValueError) as error:
        raise refuse("damaged_backup", _("The backup was cut short or changed; take an older one.")) from error
    if source.read(1):
        raise refuse("damaged_backup", _("The backup has something after its end; take an older one."))
