"""Encrypted files that only the holder of an offline key can open: what backups are written as.

The host that makes a backup holds the public key alone, so that a thief of the host and of the backups can't read them.

Format, big-endian: `TSB` and a version byte 0 · sealed box of the file's 32-byte key (80 bytes, X25519,
`crypto_box_seal`) · secretstream header (24) · messages of at most 64 KiB each, the last tagged FINAL
(`crypto_secretstream_xchacha20poly1305`, libsodium). Truncation, reordering and change are found while reading; a
reader must not use what it read before the end was reached.

Evolution: another format takes another version byte; a reader refuses versions it does not know.
"""

from collections.abc import Iterator
from typing import BinaryIO

from nacl import bindings as sodium
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from backend.errors import refuse
from backend.i18n import gettext as _

MAGIC = b"TSB\0"
CHUNK_BYTES = 64 * 1024  # of plaintext in a message
_SEALED_BYTES = 32 + 48
_HEADER_BYTES = sodium.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_CHUNK_SEALED = CHUNK_BYTES + sodium.crypto_secretstream_xchacha20poly1305_ABYTES
_MORE = sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_FINAL = sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL


def seal(source: BinaryIO, target: BinaryIO, public_key: PublicKey) -> None:
    """Encrypt everything in `source` into `target`, for the holder of the private key."""
    key = sodium.crypto_secretstream_xchacha20poly1305_keygen()
    state = sodium.crypto_secretstream_xchacha20poly1305_state()
    header = sodium.crypto_secretstream_xchacha20poly1305_init_push(state, key)
    target.write(MAGIC + SealedBox(public_key).encrypt(key) + header)
    chunk = source.read(CHUNK_BYTES)
    while True:
        following = source.read(CHUNK_BYTES)
        tag = _MORE if following else _FINAL
        target.write(sodium.crypto_secretstream_xchacha20poly1305_push(state, chunk, MAGIC, tag))
        if not following:
            return
        chunk = following


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
