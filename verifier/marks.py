"""High-water marks: what a gate has accepted, so that nobody can bring back something older (SPEC 7.3)."""

import json
from dataclasses import dataclass
from uuid import UUID

from credential.keylist import TrustRoot
from verifier.config import Folder, parse_trust_root, trust_root_to_json
from verifier.errors import GateError
from verifier.files import replace_file
from verifier.i18n import gettext as _


@dataclass(frozen=True, slots=True)
class Marks:
    """The highest versions ever accepted, the event of the first bundle, and the roots of the newest list."""

    key_list_version: int = 0
    bundle_version: int = 0
    event_id: UUID | None = None
    trust_root: TrustRoot | None = None


def load_marks(folder: Folder) -> Marks:
    """`GateError`, `marks_missing` or `marks_damaged`, without them: such a gate could be fed old data."""
    try:
        stored = json.loads(folder.marks.read_bytes())
        return Marks(
            key_list_version=int(stored["key_list_version"]),
            bundle_version=int(stored["bundle_version"]),
            event_id=UUID(stored["event_id"]) if stored["event_id"] else None,
            trust_root=parse_trust_root(stored["trust_root"]) if stored["trust_root"] else None,
        )
    except FileNotFoundError:
        raise GateError(
            "marks_missing",
            _("{path} is gone. Restore it, or use another gate.").format(path=folder.marks),
        ) from None
    except (ValueError, KeyError, TypeError):
        raise GateError(
            "marks_damaged",
            _("{path} can't be read. Restore it, or use another gate.").format(path=folder.marks),
        ) from None


def save_marks(folder: Folder, marks: Marks) -> None:
    """Durable on return."""
    stored = {
        "key_list_version": marks.key_list_version,
        "bundle_version": marks.bundle_version,
        "event_id": str(marks.event_id) if marks.event_id else None,
        "trust_root": trust_root_to_json(marks.trust_root) if marks.trust_root else None,
    }
    replace_file(folder.marks, json.dumps(stored, indent=1).encode())
