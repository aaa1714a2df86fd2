"""The key list and the bundle in force, on disk (SPEC 5, 7.3).

Each is verified before use, at every start too; a new one replaces the old by a rename, after it was verified; what is
truncated, altered or older leaves the old one in force. High-water marks keep anybody from bringing back an older one,
even by replacing the file.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from credential.bundle import Bundle, verify_bundle
from credential.delta import MAGIC as DELTA_MAGIC
from credential.delta import apply_delta
from credential.keylist import KeyList, TrustRoot, verify_key_list
from credential.results import Malformed, Untrusted
from verifier.config import Config, Folder, event_id_in
from verifier.files import replace_file
from verifier.marks import Marks, load_marks, save_marks

ALWAYS = 0  # as `now`: a stored list was judged by the clock when it came, and is by each check (SPEC 5.1)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is in force now. `changed` is False if it was in force before."""

    version: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Not accepted; what was in force stays. `reason` is a code of SPEC 1.4 or 5."""

    reason: str


class BundleStore:
    """Promises: `key_list` and `bundle` were verified, the bundle under the list; a crash leaves the old or the new."""

    def __init__(self, folder: Folder, config: Config) -> None:
        self._folder, self._config = folder, config
        self.key_list: KeyList | None = None
        self.bundle: Bundle | None = None
        self.problem: str | None = None  # why what is on disk is not in force: a reason as in `Refused`, or "none_yet"
        self._snapshot = b""  # the bytes of `bundle`
        self._stamps: object = None
        self.reload()

    def reload(self) -> None:
        """Take up what a sync has put there; costs two `stat` calls when nothing changed."""
        stamps = (_stamp(self._folder.key_list), _stamp(self._folder.bundle))
        if stamps != self._stamps:
            self._stamps = stamps
            self._load()

    def accept_key_list(self, data: bytes, now: int) -> Accepted | Refused:
        """Verify a downloaded key list, make it durable, and put it in force."""
        marks = load_marks(self._folder)
        trusted = self.key_list or marks.trust_root or self._config.trust_root
        verified = verify_key_list(data, trusted, now, marks.key_list_version)
        if not isinstance(verified, KeyList):
            return Refused(verified.reason)
        if self.key_list is not None and verified.version == self.key_list.version:
            return Accepted(verified.version, changed=False)
        replace_file(self._folder.key_list, data)
        roots = TrustRoot(verified.platform_id, verified.threshold, verified.root_keys)
        save_marks(self._folder, replace(marks, key_list_version=verified.version, trust_root=roots))
        self.reload()
        return Accepted(verified.version, changed=True)

    def accept_bundle(self, data: bytes) -> Accepted | Refused:
        """Verify a downloaded snapshot, or a delta on the one in force, make it durable, and put it in force."""
        if self.key_list is None:
            return Refused("no_key_list")
        snapshot = apply_delta(self._snapshot, data) if data.startswith(DELTA_MAGIC) else data
        if isinstance(snapshot, Malformed):
            return Refused(snapshot.reason)
        marks = load_marks(self._folder)
        verified = self._verified(snapshot, self.key_list, marks)
        if not isinstance(verified, Bundle):
            return Refused(verified.reason)
        if self.bundle is not None and verified.version == self.bundle.version:
            same = verified == self.bundle
            return Accepted(verified.version, changed=False) if same else Refused("same_version_other_content")
        replace_file(self._folder.bundle, snapshot)
        save_marks(self._folder, replace(marks, bundle_version=verified.version, event_id=verified.event_id))
        self.reload()
        return Accepted(verified.version, changed=True)

    def _load(self) -> None:
        """Verify what is on disk as if it had just come. What can't be used leaves in force what is, and says so."""
        self.problem = None
        marks = load_marks(self._folder)
        key_list = self._stored_key_list(marks)
        if isinstance(key_list, KeyList):
            self.key_list = key_list
        else:
            self.problem = key_list.reason
        if self.key_list is not None:
            self._load_bundle(self.key_list, marks)

    def _load_bundle(self, key_list: KeyList, marks: Marks) -> None:
        """The bundle on disk, or else the one in memory if the list still vouches for it, or else none."""
        stored = self._folder.bundle.read_bytes() if self._folder.bundle.exists() else b""
        in_force_before = replace(marks, bundle_version=0)
        for data, known in ((stored, marks), (self._snapshot, in_force_before)):
            bundle = self._verified(data, key_list, known) if data else Untrusted("none_yet")
            if isinstance(bundle, Bundle):
                self.bundle, self._snapshot = bundle, data
                return
            self.problem = self.problem or bundle.reason
        self.bundle, self._snapshot = None, b""

    def _verified(self, snapshot: bytes, key_list: KeyList, marks: Marks) -> Bundle | Malformed | Untrusted:
        bundle = verify_bundle(snapshot, key_list, marks.bundle_version)
        wanted = marks.event_id or event_id_in(self._config.event)
        if isinstance(bundle, Bundle) and wanted not in {None, bundle.event_id}:
            return Untrusted("other_event")
        return bundle

    def _stored_key_list(self, marks: Marks) -> KeyList | Malformed | Untrusted:
        if not self._folder.key_list.exists():
            return Untrusted("none_yet")
        data = self._folder.key_list.read_bytes()
        return verify_key_list(data, marks.trust_root or self._config.trust_root, ALWAYS, marks.key_list_version)


def _stamp(path: Path) -> object:
    """Changes whenever the file is replaced."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
