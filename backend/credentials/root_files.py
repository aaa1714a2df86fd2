"""The root keys: files of their own, kept away from the servers (SPEC 5.1).

They sign key lists, a few times a month. Whoever holds enough of them decides which keys gates trust, so in production
they live on media that are plugged in for `truestub keys publish` and nowhere else.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path

from nacl.signing import SigningKey

from backend.credentials.keystore import SECRET_BYTES, RandomBytes, read_secret, write_secret
from backend.errors import refuse
from backend.i18n import gettext as _

ROOT_KIND = "root-ed25519"
DEFAULT_NAME = "root.key"


def create_root(path: Path, random_bytes: RandomBytes = secrets.token_bytes) -> bytes:
    """Make a root key; its public half. `SettingError` if the file is there."""
    if not path.parent.is_dir():
        raise refuse("no_such_folder", _("There is no folder %s; make it first") % path.parent)
    secret = random_bytes(SECRET_BYTES)
    write_secret(path, ROOT_KIND, secret)
    return bytes(SigningKey(secret).verify_key)


def load_roots(paths: Sequence[Path]) -> list[SigningKey]:
    """The root keys in these files; `SettingError` if one is missing, readable by others or damaged."""
    for path in paths:
        if not path.is_file():
            raise refuse("no_root_key", _("There is no root key at %s; name it with --root") % path)
    return [SigningKey(read_secret(path, ROOT_KIND)) for path in paths]
