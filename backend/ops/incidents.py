"""When an incident opens, changes and closes: pure rules over health, with hysteresis.

Components that fail together by one cause are one incident: a node that is away takes minting and index with it. An
incident opens when its trouble has lasted `OPEN_AFTER_MS`, and closes when all has been well for `CLOSE_AFTER_MS`, as
of the moment it became well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from backend.ops.health import Fact, Health, State

OPEN_AFTER_MS = 2_000  # a shorter hiccup is nobody's business
CLOSE_AFTER_MS = 5_000  # a fault that comes back within this is the same incident

GROUP = {  # component of health -> component of an incident; the others stand for themselves
    "node": "chain",
    "minting": "chain",
    "index": "chain",
    "database": "database",
    "sales": "database",
}
_TELLING = ("minting", "database", "node", "index", "sales")  # of a group's components, the first in trouble tells why
_NO_INCIDENT = {"no_node_yet", "unseen", "not_begun"}  # not yet set up is not broken
_RESTORED = "restored"  # the cause of an incident of its own: nobody's fault, and over by `truestub reconcile`
_OTHERS_FAULT = {"database", "standby", "storage_full", "read_only", _RESTORED}  # of another component's trouble


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a group of components now."""

    group: str
    cause: str
    state: State
    facts: Mapping[str, Fact]
    since_ms: int | None
    affected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """A fault's incident that is open, as stored."""

    id: int
    group: str
    cause: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What a watcher must remember between two looks: since when each group is in trouble, or well again."""

    bad: Mapping[str, int] = field(default_factory=dict)
    well: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What to write. `closed` comes with the moment it became well."""

    memory: Memory
    opened: tuple[tuple[Trouble, int], ...] = ()
    changed: tuple[tuple[OpenIncident, Trouble], ...] = ()
    same: tuple[tuple[OpenIncident, Trouble], ...] = ()
    closed: tuple[tuple[OpenIncident, int], ...] = ()


def troubles_of(health: Iterable[Health]) -> dict[str, Trouble]:
    """What is wrong, by group."""
    groups: dict[str, list[Health]] = {}
    for one in health:
        if one.state != "works" and one.cause not in _NO_INCIDENT and not _follows(one):
            groups.setdefault(_group(one), []).append(one)
    return {group: _trouble(group, parts) for group, parts in groups.items()}


def step(memory: Memory, opened: Sequence[OpenIncident], troubles: Mapping[str, Trouble], now_ms: int) -> Step:
    """Decide what to write, given what is open and what is wrong now."""
    bad = {group: memory.bad.get(group, now_ms) for group in troubles}
    known = {one.group: one for one in opened}
    well = {group: memory.well.get(group, now_ms) for group in known if group not in troubles}
    new = tuple(
        (trouble, min(bad[group], trouble.since_ms or now_ms))
        for group, trouble in troubles.items()
        if group not in known and now_ms - min(bad[group], trouble.since_ms or now_ms) >= OPEN_AFTER_MS
    )
    going = [(one, troubles[group]) for group, one in known.items() if group in troubles]
    return Step(
        Memory(bad, well),
        opened=new,
        changed=tuple((one, trouble) for one, trouble in going if one.cause != trouble.cause),
        same=tuple((one, trouble) for one, trouble in going if one.cause == trouble.cause),
        closed=tuple((known[group], since) for group, since in well.items() if now_ms - since >= CLOSE_AFTER_MS),
    )


def _group(one: Health) -> str:
    return "restore" if one.cause == _RESTORED else GROUP.get(one.component, one.component)


def _follows(one: Health) -> bool:
    return one.cause in _OTHERS_FAULT and one.component not in {"database", "sales"}


def _trouble(group: str, parts: Sequence[Health]) -> Trouble:
    first = min(parts, key=lambda one: _TELLING.index(one.component) if one.component in _TELLING else 0)
    worst: State = "down" if any(one.state == "down" for one in parts) else "waits"
    return Trouble(group, first.cause, worst, first.facts, first.since_ms, tuple(one.component for one in parts))
