"""Rules: approvals, statuses, roles, stops, classes, keys, time."""

from functools import partial
from hashlib import sha256

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.contracts import world
from tests.contracts.model.bench import CLOSES, GRACE, OPENS, UNKNOWN, WORKERS, Bench, few, seldom
from tests.contracts.world import DAY, ZERO
from tests.support.evm import START

TAGS = [b"event001", b"event002", b"\0" * 8]
STEPS = [1, 60, DAY - 1, DAY, 2 * DAY, 10 * DAY]
EDGES = [OPENS, CLOSES, CLOSES + GRACE, CLOSES + DAY, CLOSES + DAY + GRACE, START + 2 * DAY, START + 30 * DAY]


class Waiting(Bench):
    """Time passes, often to the second of some edge."""

    @rule(step=st.sampled_from(STEPS))
    def wait(self, step: int) -> None:
        self.wait_until(self.chain.now + step)

    @rule(edge=st.sampled_from(EDGES), late=st.integers(-1, 1))
    def wait_for_an_edge(self, edge: int, late: int) -> None:
        if edge + late > self.chain.now:
            self.wait_until(edge + late)


class Approving(Bench):
    """Approvals of one ticket and of all."""

    @rule(pick=few, to=few, by=few, as_=st.integers(0, 2), clear=seldom, missing=seldom)
    def approve(self, pick: int, to: int, by: int, as_: int, clear: bool, missing: bool) -> None:
        token_id = self.some_token(pick, missing)
        caller = self.somebody(token_id, as_, by)
        approved = ZERO if clear else self.person(to)
        self.both(
            lambda: self.model.approve(caller, approved, token_id), self.tickets, caller, "approve", approved, token_id
        )

    @rule(by=few, operator=few, on=st.booleans(), zero=seldom)
    def approve_all(self, by: int, operator: int, on: bool, zero: bool) -> None:
        caller = self.actor(by)
        who = ZERO if zero else self.people[operator % 3]
        self.both(
            lambda: self.model.set_approval_for_all(caller, who, on), self.tickets, caller, "setApprovalForAll", who, on
        )


class Marking(Bench):
    """Redeeming, revoking, suspending."""

    @rule(picks=st.lists(few, min_size=0, max_size=3), wrong=seldom, missing=seldom, falling=seldom, empty=seldom)
    def redeem(self, picks: list[int], wrong: bool, missing: bool, falling: bool, empty: bool) -> None:
        caller = self.worker("gate", wrong, sum(picks))
        words: dict[int, set[int]] = {}
        for pick in picks:
            token_id = self.some_token(pick)
            places = words.setdefault(token_id >> 7, set())
            places |= {token_id & 127} | ({(token_id & 127) + 1} if pick & 2 else set())
        marks = [(word, sorted(places)) for word, places in sorted(words.items(), reverse=falling)]
        if missing:
            marks.append((max(words, default=512), [127]))
        if empty and marks:
            marks[-1] = (marks[-1][0], [])
        masks = [sum(1 << 2 * place for place in places) for _, places in marks]
        self.both(
            lambda: self.model.redeem(caller, marks),
            self.tickets,
            caller,
            "redeemWords",
            [word for word, _ in marks],
            masks,
        )

    @rule(
        call=st.sampled_from(["revoke", "suspend", "reinstate"]),
        picks=st.lists(few, max_size=2),
        wrong=seldom,
        missing=seldom,
    )
    def change_status(self, call: str, picks: list[int], wrong: bool, missing: bool) -> None:
        caller = self.worker("relayer", wrong, sum(picks))
        token_ids = [self.some_token(pick, missing) for pick in picks]
        self.both(lambda: self.model.change_status(caller, token_ids, call), self.tickets, caller, call, token_ids)


class Governing(Bench):
    """Roles, the admin, stops, the end."""

    @rule(
        pick=few,
        roles=st.sampled_from([1, 2, 4, 16, 32, 3, 8, 0, 63]),
        take=st.booleans(),
        wrong=seldom,
        in_registry=seldom,
    )
    def change_roles(self, pick: int, roles: int, take: bool, wrong: bool, in_registry: bool) -> None:
        contract, model = (self.registry, self.list) if in_registry else (self.tickets, self.model)
        caller = self.actor(pick) if wrong else model.admin
        who = [*WORKERS.values(), *self.people, ZERO][pick % (len(WORKERS) + len(self.people) + 1)]
        if take:
            self.both(lambda: model.revoke_roles(caller, who, roles), contract, caller, "revokeRoles", who, roles)
        else:
            self.both(lambda: model.grant_roles(caller, who, roles), contract, caller, "grantRoles", who, roles)

    @rule()
    def give_the_workers_their_roles_back(self) -> None:
        admin = self.model.admin
        for who, role in world.WORKING_ROLES:
            grant = partial(self.model.grant_roles, admin, who, role)
            self.both(grant, self.tickets, admin, "grantRoles", who, role)

    @rule(pick=few, wrong=seldom, withdraw=seldom)
    def propose_admin(self, pick: int, wrong: bool, withdraw: bool) -> None:
        caller = self.actor(pick) if wrong else self.model.admin
        who = ZERO if withdraw else [WORKERS["admin"], *self.people[:3]][pick % 4]
        self.both(lambda: self.model.propose_admin(caller, who), self.tickets, caller, "proposeAdmin", who)

    @rule(pick=few, own=st.booleans())
    def accept_admin(self, pick: int, own: bool) -> None:
        caller = self.model.pending[0] if own and self.model.pending[0] != ZERO else self.actor(pick)
        self.both(lambda: self.model.accept_admin(caller), self.tickets, caller, "acceptAdmin")

    @rule(pick=few, what=st.sampled_from([1, 2, 4, 3, 7, 0, 8]), wrong=seldom)
    def stop(self, pick: int, what: int, wrong: bool) -> None:
        if pick % 3:
            return  # else most runs would stand still
        caller = self.worker("pauser", wrong, pick)
        self.both(lambda: self.model.stop(caller, what), self.tickets, caller, "stop", what)

    @rule(pick=few, what=st.sampled_from([7, 7, 7, 1, 2, 4, 8]), wrong=seldom)
    def resume(self, pick: int, what: int, wrong: bool) -> None:
        caller = self.worker("pauser", True, pick) if wrong else self.model.admin
        self.both(lambda: self.model.resume(caller, what), self.tickets, caller, "resume", what)

    @rule(pick=few)
    def cancel_event(self, pick: int) -> None:
        if pick % 16:
            return  # seldom: nothing happens afterwards
        caller = self.actor(pick) if pick & 16 else self.model.admin
        self.both(lambda: self.model.cancel_event(caller), self.tickets, caller, "cancelEvent")


class Changing(Bench):
    """Capacity, times and policy of classes."""

    @rule(pick=few, class_=st.integers(0, UNKNOWN), change=st.integers(-2, 3), wrong=seldom)
    def set_capacity(self, pick: int, class_: int, change: int, wrong: bool) -> None:
        caller = self.actor(pick) if wrong else self.model.admin
        issued = self.model.kinds[class_].issued if class_ < UNKNOWN else 0
        capacity = max(0, issued + change)
        self.both(
            lambda: self.model.set_capacity(caller, class_, capacity),
            self.tickets,
            caller,
            "setCapacity",
            class_,
            capacity,
        )

    @rule(
        pick=few,
        class_=st.integers(0, UNKNOWN),
        opens=st.sampled_from([0, START, OPENS]),
        closes=st.sampled_from([0, CLOSES, CLOSES + 9 * DAY]),
    )
    def set_times(self, pick: int, class_: int, opens: int, closes: int) -> None:
        caller = self.actor(pick) if pick % 5 == 0 else self.model.admin
        arguments = (class_, opens, closes)
        self.both(lambda: self.model.set_times(caller, *arguments), self.tickets, caller, "setTimes", *arguments)

    @rule(pick=few, class_=st.integers(0, UNKNOWN), policy=st.integers(0, 3))
    def set_policy(self, pick: int, class_: int, policy: int) -> None:
        if pick % 4:
            return  # seldom: policies only grow stricter
        caller = self.actor(pick) if pick & 4 else self.model.admin
        self.both(
            lambda: self.model.set_policy(caller, class_, policy), self.tickets, caller, "setPolicy", class_, policy
        )


class Keying(Bench):
    """Keys and bundles."""

    @rule(
        pick=few,
        role=st.integers(0, 4),
        tag=st.sampled_from(TAGS),
        start=st.integers(-2, 3),
        days=st.integers(0, 9),
        wrong=seldom,
    )
    def add_key(self, pick: int, role: int, tag: bytes, start: int, days: int, wrong: bool) -> None:
        caller = self.worker("keys", wrong, pick)
        public_key = sha256(bytes([pick % 6])).digest()
        first = self.chain.now + start * DAY
        last = first + days * DAY
        self.both(
            lambda: self.list.add_key(caller, role, tag, public_key, first, last),
            self.registry,
            caller,
            "addKey",
            1,
            role,
            tag,
            public_key,
            first,
            last,
        )

    @rule(pick=few, reason=st.sampled_from([1, 2, 1, 2, 0, 3]), wrong=seldom)
    def revoke_key(self, pick: int, reason: int, wrong: bool) -> None:
        caller = self.worker("keys", wrong, pick)
        key_id = sha256(sha256(bytes([pick % 6])).digest()).digest()[:4]
        self.both(
            lambda: self.list.revoke_key(caller, key_id, reason), self.registry, caller, "revokeKey", key_id, reason
        )

    @rule(pick=few, tag=st.sampled_from(TAGS), version=st.integers(0, 9), wrong=seldom)
    def anchor(self, pick: int, tag: bytes, version: int, wrong: bool) -> None:
        caller = self.worker("relayer", wrong, pick)
        root = sha256(bytes([pick % 7])).digest() if pick % 7 else b"\0" * 32
        self.both(
            lambda: self.list.anchor(caller, tag, version, root),
            self.registry,
            caller,
            "anchorBundle",
            tag,
            version,
            root,
        )
