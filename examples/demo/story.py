"""The story, step by step: (a) to (f) of the main job. Each step fails loudly if what it says is not what happened."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import qrcode

from examples.demo.screen import Screen
from examples.demo.stage import DemoFailed, Stage

EXAMPLE = Path("examples/concert.toml")
MINT_SECONDS = 30  # for a paid ticket to be on the chain and in the index
DIAGNOSIS_SECONDS = 45
STALE_BY_SECONDS = 60  # how old the old code is; a gate takes up to 30
SOCKET_PROOF = "--no-network"  # the gate ends itself if anything opens a socket


class Story:
    """What the steps hand on to one another."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        self.stage, self.screen = stage, screen
        self.slug = ""
        self.tickets: list[dict[str, Any]] = []
        self.saved_state = stage.folder / "node-after-deployment.state"

    def tell(self) -> None:
        self.set_the_stage()
        self.a_buyer_buys_three()
        self.the_gate_admits_from_a_picture()
        self.what_the_gate_refuses()
        self.the_node_dies()
        self.the_node_comes_back_in_the_past()
        self.the_index_agrees_with_the_chain()

    # --- the stage --------------------------------------------------------------------------------------------

    def set_the_stage(self) -> None:
        stage, screen = self.stage, self.screen
        screen.chapter("0", "The stage: real programs on loopback, everything in " + str(stage.folder))
        with screen.step(f"chain node (anvil) started on {stage.node_url}"):
            self._start_node()
        with screen.step("platform made: database, keys, and a root for the key list (1 of 1)"):
            stage.truestub("init")
            stage.truestub("keys", "init-root")
        with screen.step(f"web, signer and worker started; the shop is at {stage.url}"):
            stage.start("platform", "up")
            stage.wait_for("the web server", lambda: stage.get("/healthz"))
        with screen.step(f"event created from {EXAMPLE}, doors open now"):
            file = stage.folder / EXAMPLE.name
            file.write_text(_with_doors_open(EXAMPLE.read_text()))
            stage.truestub("event", "create", str(file))
            stage.truestub("keys", "publish")
            self.slug = stage.get("/api/v1/events")["events"][0]["slug"]
        with screen.step("its contract is on the chain"):
            event = stage.wait_for("the event's contract", self._deployed, MINT_SECONDS)
        screen.fact(f"contract {event['contract']}, event tag {event['tag']}")
        with screen.step("the node's state is saved: we shall need it in (e)"):
            stage.truestub("node", "save", str(self.saved_state))
        with screen.step("a gate is enrolled and takes its bundle; from here on it has no network"):
            enrolled = json.loads(stage.truestub("gate", "enrol", self.slug, "Gate A", "--json"))
            root = stage.folder / "root.json"
            root.write_text(stage.truestub("keys", "root"))
            token = stage.folder / "gate.token"
            token.write_text(enrolled["token"])
            token.chmod(0o600)
            stage.gate(
                *("init", "--root", str(root), "--event", self.slug, "--server", stage.url),
                *("--token-file", str(token), "--number", str(enrolled["number"])),
            )
            stage.gate("sync")

    def _start_node(self, state: Path | None = None) -> None:
        load = ["--load", str(state)] if state else []
        self.stage.start("node", "node", "start", "--port", str(self.stage.node_port), *load)
        self.stage.wait_for("the node", self.stage.node_answers)

    def _deployed(self) -> dict[str, Any] | None:
        jobs = self._chain_status()["jobs"]
        done = {job["state"] for job in jobs if job["kind"] == "create_event"} & {"included", "final"}
        return self.stage.get(f"/api/v1/events/{self.slug}") if done else None

    def _chain_status(self) -> dict[str, Any]:
        return dict(json.loads(self.stage.truestub("chain", "status", "--json")))

    # --- (a) ----------------------------------------------------------------------------------------------------

    def a_buyer_buys_three(self) -> None:
        stage, screen = self.stage, self.screen
        screen.chapter("a", "A buyer buys three tickets; they are minted in a batch")
        with screen.step("Ada's wallet made its keys, on her device"):
            stage.wallet("ada", "init")
        with screen.step("three tickets bought, paid, and bound to her phone"):
            self.tickets = self._buy("ada", 3)
        with screen.step("minted and found by the index"):
            minted = self._minted("ada")
        for hash_ in sorted({ticket["tx_hash"] for ticket in minted}):
            screen.fact(f"transaction {hash_}")
        screen.fact("tokens " + ", ".join(str(ticket["token_id"]) for ticket in minted))

    def _buy(self, who: str, quantity: int) -> list[dict[str, Any]]:
        return list(
            self.stage.wallet(
                *(who, "buy", self.slug, "--class", "standing", "--quantity", str(quantity), "--yes"),
                *("--server", self.stage.url),
            )["tickets"]
        )

    def _minted(self, who: str) -> list[dict[str, Any]]:
        def ready() -> list[dict[str, Any]] | None:
            tickets = self.stage.wallet(who, "status", "--server", self.stage.url)["tickets"]
            return tickets if all(ticket["stage"] == "minted" for ticket in tickets) else None

        return list(self.stage.wait_for("the tokens", ready, MINT_SECONDS))

    # --- (b), (c) -----------------------------------------------------------------------------------------------

    def the_gate_admits_from_a_picture(self) -> None:
        screen = self.screen
        screen.chapter("b", "The gate, its bundle older than the purchase and no network, reads the picture")
        with screen.step("the wallet drew the code"):
            picture = self._picture("ada", self.tickets[0]["ticket_id"], "first")
        screen.fact(f"picture {picture}")
        with screen.step("the gate read the picture"):
            self._expect(self._scan(picture), "admit")

    def what_the_gate_refuses(self) -> None:
        screen = self.screen
        screen.chapter("c", "What the gate refuses")
        with screen.step("the same code again"):
            self._expect(self._scan(self.stage.folder / "first.png"), "already_used")
        second = self.tickets[1]["ticket_id"]
        with screen.step("a screenshot, a minute old"):
            old = self._picture("ada", second, "old", at=int(time.time()) - STALE_BY_SECONDS)
            self._expect(self._scan(old), "stale")
        with screen.step("a code with one bit changed"):
            fresh = self._picture("ada", second, "fresh")
            self._expect(self._scan(_one_bit_changed(self._digits("ada", second), fresh)), "forged")

    def _picture(self, who: str, ticket: str, name: str, at: int | None = None) -> Path:
        file = self.stage.folder / f"{name}.png"
        when = ["--at", str(at)] if at is not None else []
        self.stage.wallet(who, "show", ticket, "--once", "--png", str(file), *when)
        return file

    def _digits(self, who: str, ticket: str) -> str:
        return str(self.stage.wallet(who, "show", ticket, "--once")["text"])

    def _scan(self, picture: Path) -> dict[str, Any]:
        output = self.stage.gate("scan", SOCKET_PROOF, "--json", "--picture", str(picture), verdicts=True)
        return dict(json.loads(output.strip().splitlines()[-1]))

    def _expect(self, verdict: dict[str, Any], code: str) -> None:
        self.screen.quote(f"{verdict['word']}\n{verdict['sentence']}")
        if verdict["code"] != code:
            raise DemoFailed(f"the gate said {verdict['code']}, not {code}")

    # --- (d) ----------------------------------------------------------------------------------------------------

    def the_node_dies(self) -> None:
        stage, screen = self.stage, self.screen
        screen.chapter("d", "The chain node is killed; selling and admitting go on")
        with screen.step("SIGKILL for the node"):
            stage.kill("node")
        stage.wallet("ben", "init")
        with screen.step("Ben buys a ticket and gets his credential"):
            bought = self._buy("ben", 1)
        with screen.step("the gate admits him"):
            picture = self._picture("ben", bought[0]["ticket_id"], "ben")
            self._expect(self._scan(picture), "admit")
        with screen.step("what /status says"):
            status = stage.wait_for("the status to tell", self._minting_waits)
        screen.quote("\n".join(_sentences(status)))
        screen.fact(f"mints queued: {status['mints_queued']}")

    def _minting_waits(self) -> dict[str, Any] | None:
        status: dict[str, Any] = self.stage.get("/status")
        waiting = {part["name"] for part in status["components"] if part["state"] == "waits"}
        return status if status["mints_queued"] and "minting" in waiting else None

    # --- (e), (f) -----------------------------------------------------------------------------------------------

    def the_node_comes_back_in_the_past(self) -> None:
        stage, screen = self.stage, self.screen
        screen.chapter("e", "The node comes back with a state from before (a): it has forgotten three tokens")
        with screen.step("the node started from the saved state"):
            self._start_node(self.saved_state)
        with screen.step("diagnosed: rolled back"):
            diagnosis = stage.wait_for("the diagnosis", self._rolled_back, DIAGNOSIS_SECONDS)
        lost = [*diagnosis.get("tokens_replayed", ()), *diagnosis["tokens_lost"]]
        again = [*diagnosis.get("hashes_replayed", ()), *diagnosis["hashes_sent_again"]]
        if not lost or not again:
            raise DemoFailed(f"the diagnosis names no lost token or no transaction: {diagnosis}")
        screen.fact("tokens the chain had lost: " + ", ".join(map(str, lost)))
        for hash_ in again:
            screen.fact(f"sent again, the very same bytes: {hash_}")
        with screen.step("everything sold is on the chain, exactly once"):
            self._minted("ada")
            self._minted("ben")

    def _rolled_back(self) -> dict[str, Any] | None:
        for diagnosis in self._chain_status()["diagnoses"]:
            if diagnosis["kind"] == "rolled_back" and diagnosis["closed"]:
                return dict(diagnosis["detail"])
        return None

    def the_index_agrees_with_the_chain(self) -> None:
        self.screen.chapter("f", "The index is compared with the chain, token by token")
        with self.screen.step("compared"):
            said = self.stage.truestub("index", "verify")
        self.screen.quote(said)


def _sentences(status: dict[str, Any]) -> list[str]:
    return [part["sentence"] for part in status["components"] if part["name"] in ("sales", "minting")]


def _with_doors_open(text: str) -> str:
    """The example event, moved to today: doors opened an hour ago."""
    doors = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    times = {"freeze": doors, "doors": doors, "starts": doors + timedelta(hours=2), "ends": doors + timedelta(hours=6)}
    for key, value in times.items():
        text, count = re.subn(rf"^{key} *=.*$", f"{key} = {value.isoformat()}", text, flags=re.MULTILINE)
        if count != 1:
            raise DemoFailed(f"{EXAMPLE} has no line {key} = ...")
    return text


def _one_bit_changed(digits: str, beside: Path) -> Path:
    """A picture of the code with the lowest bit of its token's batch flipped: what a forger would try."""
    value = int(digits) ^ (1 << 8 * 100)
    file = beside.with_name("forged.png")
    qrcode.make(str(value).zfill(len(digits)), error_correction=qrcode.constants.ERROR_CORRECT_L).save(str(file))
    return file
