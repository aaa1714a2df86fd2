"""Writes credential.json, the format's public contract (SPEC 6.7): python -m tests.vectors.make_credential

Deterministic: everything follows from the seed in `tests.vectors.world`. A test makes it anew and compares.
"""

import json
from pathlib import Path
from typing import Any

from credential.digits import to_digits
from tests.vectors import world
from tests.vectors.cases import CHALLENGE, all_cases, answer, compact, full
from tests.vectors.flips import all_flips

PATH = Path(__file__).parent / "credential.json"


def document() -> dict[str, Any]:
    return {
        "about": "Truestub credential vectors, format version 0. SPEC 6.7 says how to run them.",
        "seed": world.SEED,
        "keys": {
            label: {"seed": bytes(world.key(label)).hex(), "public": world.public(label).hex()}
            for label in world.LABELS
        },
        "trust_root": {
            "platform_id": world.PLATFORM.hex(),
            "threshold": world.TRUST_ROOT.threshold,
            "root_keys": [root.hex() for root in world.TRUST_ROOT.root_keys],
        },
        "event_id": str(world.EVENT),
        "event_tag": world.TAG.hex(),
        "key_lists": {name: data.hex() for name, data in world.signed_key_lists().items()},
        "bundles": {name: data.hex() for name, data in world.signed_bundles().items()},
        "defaults": {
            "now": world.NOW,
            "key_list": "main",
            "bundle": "main",
            "gate": {"number": world.GATE, "connected": False, "challenge": None},
            "admitted": [],
            "seen": [],
        },
        "made": list(_made()),
        "cases": [{"name": one.name, "text": one.text, "code": one.code, **one.settings} for one in all_cases()],
        "flips": [
            {"name": one.name, "payload": one.payload.hex(), "expect": one.expect, **one.settings}
            for one in all_flips()
        ],
    }


def text() -> str:
    """One line a case, so that a change is one line in a review."""
    parts = []
    for name, value in document().items():
        if isinstance(value, list):
            lines = ",\n".join("  " + json.dumps(one) for one in value)
            parts.append(f"{json.dumps(name)}: [\n{lines}\n]")
        elif isinstance(value, dict):
            lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(one)}" for key, one in value.items())
            parts.append(f"{json.dumps(name)}: {{\n{lines}\n}}")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _made() -> list[dict[str, Any]]:
    """What an encoder must make, byte for byte: Ed25519 signatures are deterministic."""
    body = world.body()
    fields = {
        "version": 0,
        "key_id": body.key_id.hex(),
        "event_tag": body.event_tag.hex(),
        "token_id": body.token_id,
        "serial": body.serial,
        "class_number": body.class_number,
        "zone": body.zone,
        "seat": body.seat,
        "flags": body.flags,
        "not_before": body.not_before,
        "lifetime_minutes": body.lifetime_minutes,
        "issued_at": body.issued_at,
        "holder_key": body.holder_key.hex(),
    }
    shown = {"device": "alice", "timestamp": world.NOW}
    small = {"event_index": world.EVENT_INDEX, "event_tag": world.TAG.hex(), "token_id": world.FIRST, "serial": 1}
    asked = {"gate_number": world.GATE, "challenge": CHALLENGE}
    return [
        {"what": "credential", "issuer": "issuer", "body": fields, "bytes": world.credential().hex()},
        {"what": "full", **shown, "bytes": full().hex(), "text": to_digits(full())},
        {"what": "compact", **shown, **small, "bytes": compact().hex(), "text": to_digits(compact())},
        {"what": "answer", **shown, **asked, "bytes": answer().hex(), "text": to_digits(answer())},
    ]


if __name__ == "__main__":
    PATH.write_text(text())
    print(
        f"wrote {PATH.name}: {len(list(all_cases()))} cases, {sum(8 * len(one.payload) for one in all_flips())} flips"
    )
