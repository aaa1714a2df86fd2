"""Brings a gate's key list and bundle up to date; what can't be trusted leaves the old in force (SPEC 7.3)."""

from dataclasses import dataclass

from verifier.bundle_store import Accepted, BundleStore, Refused
from verifier.fetch import Fetcher, FetchFailed, Unchanged


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of the two downloads. The bundle is None if the key list failed: nothing could have verified it."""

    key_list: Accepted | Refused | FetchFailed
    bundle: Accepted | Refused | FetchFailed | None

    @property
    def outcomes(self) -> tuple[Accepted | Refused | FetchFailed, ...]:
        return (self.key_list,) if self.bundle is None else (self.key_list, self.bundle)


def sync(store: BundleStore, fetcher: Fetcher, event: str, now: int) -> Synced:
    """The key list first: it may name the key of the new bundle, or withdraw that of the old.

    A key list that could not be had or trusted does not keep the bundle from being renewed under the list in force.
    """
    key_list = _sync_key_list(store, fetcher, now)
    if store.key_list is None or now >= store.key_list.expires:
        return Synced(key_list, None)
    return Synced(key_list, _sync_bundle(store, fetcher, event))


def _sync_key_list(store: BundleStore, fetcher: Fetcher, now: int) -> Accepted | Refused | FetchFailed:
    answer = fetcher.get("/api/v1/keys")
    if isinstance(answer, Unchanged):
        return Refused("not_a_key_list") if store.key_list is None else Accepted(store.key_list.version, changed=False)
    return store.accept_key_list(answer, now) if isinstance(answer, bytes) else answer


def _sync_bundle(store: BundleStore, fetcher: Fetcher, event: str) -> Accepted | Refused | FetchFailed:
    path = f"/api/v1/events/{event}/bundle"
    held = store.bundle
    answer = fetcher.get(f"{path}?since={held.version}" if held else path)
    if isinstance(answer, Unchanged):
        return Accepted(held.version, changed=False) if held else Refused("not_a_bundle")
    if isinstance(answer, FetchFailed):
        return answer
    outcome = store.accept_bundle(answer)
    if outcome == Refused("other_base"):  # a delta on another snapshot than ours: ask for the whole
        answer = fetcher.get(path)
        return store.accept_bundle(answer) if isinstance(answer, bytes) else outcome
    return outcome
