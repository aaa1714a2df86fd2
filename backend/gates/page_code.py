"""The set-up code of the gate page: everything a browser must be told by hand, as one line of JSON (SPEC 7.5)."""

import json
import sys
from typing import Any

import qrcode

from credential.keylist import TrustRoot


def page_code(server: str, event: str, number: int, name: str, token: str, root: TrustRoot) -> str:
    """One line; a secret, since the token is in it. `event` is the slug, `server` the platform's public address."""
    told: dict[str, Any] = {
        "server": server,
        "event": event,
        "gate": number,
        "name": name,
        "token": token,
        "trust_root": {
            "platform_id": root.platform_id.hex(),
            "threshold": root.threshold,
            "root_keys": [key.hex() for key in root.root_keys],
        },
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def draw(code: str) -> None:
    """The code as a picture in the terminal, for a camera."""
    picture = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_L, border=2)
    picture.add_data(code)
    picture.print_ascii(out=sys.stdout, invert=True)
