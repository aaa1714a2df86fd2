"""What becomes of a ticket's code when the ticket moves, is stopped or withdrawn, or its event is postponed."""

import dataclasses

import pytest
from eth_account import Account
from nacl.signing import SigningKey
from sqlalchemy import insert, update

from backend.db.tables.chain import Chain, Token
from backend.db.tables.events import Event
from tests.backend.credentials.test_issuing import issue, refusal, refusal_code
from tests.backend.credentials.world import HOUR, Sold, World, address_of


def moved(
    world: World, sold: Sold, new_owner: bytes, *, block: int, final: int, epoch: int = 1, status: int = 0
) -> None:
    row = world.ticket(sold.tickets[0])
    with world.engine.begin() as connection:
        connection.execute(
            insert(Chain).values(
                id=1,
                chain_id=1,
                genesis_hash=bytes(32),
                state="active",
                start_block=0,
                cursor_number=block,
                cursor_hash=bytes(32),
                final_number=final,
                seen_ms=0,
                created_ms=0,
            )
        )
        connection.execute(
            insert(Token).values(
                event_id=world.event_id,
                token_id=row.token_id,
                owner=new_owner,
                epoch=epoch,
                status=status,
                minted_block=1,
                changed_block=block,
            )
        )


def test_after_a_final_move_the_new_owner_binds_and_the_old_one_cannot(world: World) -> None:
    sold = world.sell(wallet=True)
    old_binding = world.request(sold)
    issue(world, sold, old_binding)
    buyer = dataclasses.replace(sold, account=Account.create())
    assert buyer.account
    moved(world, sold, address_of(buyer.account), block=10, final=10)
    assert refusal(world, sold, old_binding) == ("wrong_epoch", {"epoch": 1})
    seller_again = world.request(sold, change=lambda binding: dataclasses.replace(binding, epoch=1))
    assert refusal_code(world, sold, seller_again) == "owner_signature_invalid"
    device = SigningKey.generate()
    bought = world.request(buyer, device=device, change=lambda binding: dataclasses.replace(binding, epoch=1))
    assert issue(world, buyer, bought).serial == 2
    assert world.ticket(sold.tickets[0]).owner == address_of(buyer.account)


def test_a_move_that_is_not_final_has_nobody_to_issue_to(world: World) -> None:
    sold = world.sell(wallet=True)
    moved(world, sold, address_of(Account.create()), block=10, final=9)
    code, details = refusal(world, sold, world.request(sold))
    assert code == "move_not_final"
    assert details["retry_after"] >= 1


@pytest.mark.parametrize(("status", "word"), [(2, "revoked"), (3, "suspended")])
def test_a_ticket_stopped_on_the_chain_alone_gets_no_code(world: World, status: int, word: str) -> None:
    sold = world.sell(wallet=True)
    assert sold.account
    moved(world, sold, address_of(sold.account), block=10, final=10, epoch=0, status=status)
    assert refusal(world, sold, world.request(sold)) == ("ticket_not_valid", {"state": word})


@pytest.mark.parametrize("days", [3, 40])
def test_after_a_postponement_the_same_binding_gets_a_code_for_the_new_time_and_gates_know_it(
    world: World, days: int
) -> None:
    sold = world.sell(wallet=True)
    request = world.request(sold)
    old = issue(world, sold, request)
    postpone(world, days * 24)
    new = issue(world, sold, request)
    assert (new.serial, new.binding_number) == (old.serial + 1, old.binding_number)
    assert (new.not_before - old.not_before, new.expires - old.expires) == (days * 24 * HOUR,) * 2
    assert issue(world, sold, request) == new, "once"
    assert world.ticket(sold.tickets[0]).serial == new.serial


def test_a_move_by_an_hour_needs_no_new_code(world: World) -> None:
    sold = world.sell(wallet=True)
    request = world.request(sold)
    old = issue(world, sold, request)
    postpone(world, 1)
    assert issue(world, sold, request) == old


def postpone(world: World, hours: int) -> None:
    with world.engine.begin() as connection:
        moved = {name: getattr(Event, name) + hours * HOUR * 1000 for name in ("doors_ms", "starts_ms", "ends_ms")}
        connection.execute(update(Event).values(**moved))


def test_a_withdrawn_code_is_not_given_out_again(world: World) -> None:
    """The help desk raises the serial of a stolen phone's ticket: the thief's repeat must not undo that."""
    sold = world.sell(wallet=True)
    stolen_phone = world.request(sold)
    issue(world, sold, stolen_phone)
    world.change_ticket(sold.tickets[0], serial=2)
    assert refusal(world, sold, stolen_phone) == ("credential_withdrawn", {"next_number": 2})
    again = issue(world, sold, world.request(sold, device=SigningKey.generate()))
    assert again.serial == 3
