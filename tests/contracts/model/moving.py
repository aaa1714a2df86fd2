"""Rules: minting, and moving by every path but the market's."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.contracts import world
from tests.contracts.model.bench import ANNA, BEN, CARA, FREE, ONCE, WORKERS, Bench, few, seldom
from tests.contracts.signing import claim_digest, move_digest
from tests.contracts.world import DAY, ZERO
from tests.support.evm import START

LAST_EDGE = START + 40 * DAY


class Moving(Bench):
    @rule(pick=few, class_=st.integers(0, FREE), count=st.integers(1, 4), wrong=seldom, again=seldom, unsorted=seldom)
    def mint(self, pick: int, class_: int, count: int, wrong: bool, again: bool, unsorted: bool) -> None:
        number = pick % 8 + 1
        owners = sorted(self.person(pick >> 2 * i) for i in range(count))
        if number in self.model.batches:
            if not again:
                number = next((free for free in range(1, 9) if free not in self.model.batches), number)
            else:
                same_class, same_owners, _ = self.model.batches[number]
                class_, owners = (same_class if pick & 64 else class_), list(same_owners)
        if unsorted:
            owners = owners[::-1]
        caller = self.worker("issuer", wrong, pick)
        packed = b"".join(bytes.fromhex(owner[2:]) for owner in owners)
        self.both(
            lambda: self.model.mint(caller, number, class_, owners),
            self.tickets,
            caller,
            "mint",
            number,
            class_,
            packed,
        )

    @rule(number=st.sampled_from([0, 1_040, 2**24, 17]), pick=few)
    def mint_at_odd_numbers(self, number: int, pick: int) -> None:
        caller, owners = WORKERS["issuer"], [self.person(pick)]
        packed = world.pack(owners)
        self.both(
            lambda: self.model.mint(caller, number, FREE, owners), self.tickets, caller, "mint", number, FREE, packed
        )

    @rule(
        pick=few,
        to=few,
        by=few,
        as_=st.integers(0, 2),
        how=st.integers(0, 2),
        wrong_from=seldom,
        nowhere=seldom,
        missing=seldom,
    )
    def transfer(
        self, pick: int, to: int, by: int, as_: int, how: int, wrong_from: bool, nowhere: bool, missing: bool
    ) -> None:
        token_id = self.some_token(pick, missing)
        holder = self.owner(token_id)
        from_ = self.person(to + 1) if wrong_from else holder
        receiver = ZERO if nowhere else self.person(to)
        caller = self.somebody(token_id, as_, by)
        arguments: tuple[Any, ...] = (from_, receiver, token_id)
        if how == 0:
            self.both(
                lambda: self.model.transfer_from(caller, *arguments), self.tickets, caller, "transferFrom", *arguments
            )
            return
        accepts = receiver not in (self.wallet.address, self.mute.address)
        extra = [b"note"] if how == 2 else []
        self.both(
            lambda: self.model.safe_transfer_from(caller, *arguments, accepts=accepts),
            self.tickets,
            caller,
            "safeTransferFrom",
            *arguments,
            *extra,
        )

    @rule(pick=few, to=few, edge=st.sampled_from([0, 0, 0, 1, 2]), late=st.integers(-1, 1))
    def transfer_at_an_edge(self, pick: int, to: int, edge: int, late: int) -> None:
        """To the second of a class's opening, freeze or end of grace, where they lie within the run's time."""
        token_id = self.some_token(pick) if edge else 2 << 16 | pick % 8  # of the one class that opens later
        kind = self.model.kinds[self.model.tokens[token_id].class_]
        time = (kind.opens, kind.closes, kind.closes + self.model.grace)[edge] + late
        if not self.chain.now < time < LAST_EDGE or (edge and to % 4):
            return  # the freeze seldom: not much happens after it
        self.wait_until(time)
        self.transfer_by_holder(token_id, self.person(to))

    @rule(pick=few, to=few)
    def gather_and_scatter(self, pick: int, to: int) -> None:
        """One holder gets more tickets than fit its slot, and loses some in another order."""
        free = [one for one, token in sorted(self.model.tokens.items()) if token.class_ == FREE][:8]
        one, other = self.actor(to), self.actor(to // 8)
        for token_id in free:
            self.transfer_by_holder(token_id, one)
        for turn in range(3):
            self.transfer_by_holder(free[(pick >> 3 * turn) % len(free)], other)

    @rule(pick=few, to=few, limited=st.booleans())
    def move_on(self, pick: int, to: int, limited: bool) -> None:
        """A ticket that has moved moves again; `limited`: one that may do so only so often."""
        tokens = sorted(self.model.tokens.items())
        moved = [one for one, token in tokens if token.epoch and (not limited or token.class_ in (1, ONCE))]
        if moved:
            self.transfer_by_holder(moved[pick % len(moved)], self.person(to))

    def transfer_by_holder(self, token_id: int, to: str) -> None:
        holder = self.owner(token_id)
        caller, move = self.able(holder), (holder, to, token_id)
        self.both(lambda: self.model.transfer_from(caller, *move), self.tickets, caller, "transferFrom", *move)

    @rule(pick=few, to=few, by=few, stale=seldom, forged=seldom, late=seldom, consent=st.integers(0, 2), wrong=seldom)
    def gift(
        self, pick: int, to: int, by: int, stale: bool, forged: bool, late: bool, consent: int, wrong: bool
    ) -> None:
        token_id = self.some_token(pick)
        if token_id not in self.model.tokens:
            return
        token = self.model.tokens[token_id]
        signer = self.signers.get(token.owner, ANNA)
        signer = BEN if forged and signer is not BEN else signer
        epoch = max(0, token.epoch - 1) if stale else token.epoch
        now = self.model.clock.now
        deadline = now - 1 if late else now + by % 3 * DAY
        receiver = self.person(to)
        digest = move_digest(self.tickets, token_id, receiver, epoch=epoch, deadline=deadline)
        consents = (b"", world.RELAYER_SIGNER.sign(digest), CARA.sign(digest))
        caller = WORKERS["relayer"] if consent == 0 and not wrong else self.actor(by)
        signed = epoch == token.epoch and self.signers.get(token.owner) is signer
        # Whoever holds the relayer's role consents; the model knows the roles.
        consented = consent == 1 and self.model.has(world.RELAYER_KEY, world.RELAYER)
        consented |= consent == 2 and self.model.has(CARA.address, world.RELAYER)
        arguments = (token_id, receiver, deadline, signer.sign(digest), consents[consent])
        self.both(
            lambda: self.model.move_with_sig(caller, token_id, receiver, deadline, signed=signed, consented=consented),
            self.tickets,
            caller,
            "moveWithSig",
            *arguments,
        )
        self.moves.append((caller, arguments, token_id, receiver, deadline, token.epoch))

    @precondition(lambda self: self.moves)
    @rule(pick=few)
    def replay_a_gift(self, pick: int) -> None:
        caller, arguments, token_id, receiver, deadline, _ = self.moves[pick % len(self.moves)]
        before = self.model.tokens[token_id].epoch
        if before == self.moves[pick % len(self.moves)][-1]:
            return  # it was refused then; whether it would be now is not what this rule is about
        self.both(
            lambda: self.model.move_with_sig(caller, token_id, receiver, deadline, signed=False, consented=False),
            self.tickets,
            caller,
            "moveWithSig",
            *arguments,
        )

    @rule(pick=few, to=few, wrong=seldom, forged=seldom, late=seldom)
    def claim(self, pick: int, to: int, wrong: bool, forged: bool, late: bool) -> None:
        kept = self.model.held_by(world.CUSTODY)
        token_id = kept[pick % len(kept)] if kept and pick % 8 else self.some_token(pick)
        if token_id not in self.model.tokens:
            return
        deadline = self.model.clock.now + (-1 if late else 0)
        receiver, caller = self.person(to), self.worker("relayer", wrong, pick)
        digest = claim_digest(self.tickets, token_id, receiver, deadline=deadline)
        signature = (ANNA if forged else world.CUSTODY_SIGNER).sign(digest)
        self.both(
            lambda: self.model.claim(caller, token_id, receiver, deadline, signed=not forged),
            self.tickets,
            caller,
            "claim",
            token_id,
            receiver,
            deadline,
            signature,
        )
