"""The contracts against a plain model of them, step by step, every view after every step.

The short run is part of `make test`; `make test-deep` runs 100,000 steps. Each mutant is a fault that must be found.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from contracts import build
from tests.contracts.model.bench import Bench
from tests.contracts.model.moving import Moving
from tests.contracts.model.running import Approving, Changing, Governing, Keying, Marking, Waiting
from tests.contracts.model.selling import Selling
from tests.contracts.mutants import GOVERNING, KEYS, MARKING, MOVING, MUTANTS, SELLING, Mutant, mutated

QUIET: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "print_blob": False,
    "phases": [Phase.generate],
}
SHORT = settings(max_examples=20, stateful_step_count=50, derandomize=True, **QUIET)
DEEP = settings(max_examples=1_200, stateful_step_count=100, **QUIET)
SHORT_HUNT = settings(max_examples=60, stateful_step_count=50, derandomize=True, **QUIET)
HUNT = settings(max_examples=30, stateful_step_count=200, derandomize=True, **QUIET)


class Machine(Moving, Approving, Selling, Marking, Governing, Changing, Keying, Waiting):
    """All rules together."""


# The rules that a mutant is near to. With fewer of them it is found sooner; the views are all compared all the same.
RULES: dict[str, tuple[type[Bench], ...]] = {
    MOVING: (Moving, Approving, Waiting),
    SELLING: (Moving, Selling),
    MARKING: (Moving, Marking),
    GOVERNING: (Moving, Governing, Changing, Waiting),
    KEYS: (Keying, Waiting),
}

# Mutants that are found in about a second each; `make test-deep` hunts the others (docs/contracts-attacks.md).
SOON = (
    "an overload skips _move",
    "anybody may transfer",
    "the epoch is not raised",
    "every path is open to every policy",
    "tickets leave custody by any path",
    "what leaves is still counted",
    "the pauser resumes",
    "an old counter is good",
    "anybody signs for the seller",
    "a key counts at once",
)


def test_contracts_and_model_agree_after_every_step() -> None:
    run_state_machine_as_test(Machine, settings=SHORT)


@pytest.mark.deep
def test_contracts_and_model_agree_through_100_000_steps() -> None:
    run_state_machine_as_test(Machine, settings=DEEP)


def hunt(mutant: Mutant, effort: settings = HUNT) -> None:
    fault = {"artifacts": mutated(), "mutant": MUTANTS.index(mutant) + 1}
    run_state_machine_as_test(type("Faulty", RULES[mutant.area], fault), settings=effort)


def test_the_build_with_the_mutants_switched_off_is_no_different() -> None:
    off = type("SwitchedOff", (Machine,), {"artifacts": mutated(), "mutant": 0})
    run_state_machine_as_test(off, settings=settings(SHORT, max_examples=5))


def test_every_mutant_still_has_its_place_in_the_sources() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert [name for name in SOON if name not in {mutant.name for mutant in MUTANTS}] == []
    for mutant in MUTANTS:
        mutant.patched((build.SOURCES / mutant.file).read_text(), 1)


@pytest.mark.parametrize("name", SOON)
def test_the_machine_soon_finds(name: str) -> None:
    with pytest.raises(AssertionError):
        hunt(next(mutant for mutant in MUTANTS if mutant.name == name), SHORT_HUNT)


@pytest.mark.deep
@pytest.mark.parametrize("mutant", [one for one in MUTANTS if one.name not in SOON], ids=lambda mutant: mutant.name)
def test_the_machine_finds(mutant: Mutant) -> None:
    with pytest.raises(AssertionError):
        hunt(mutant)
