"""What is wrong with an installation, and what to do about each: looks at everything, changes nothing."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Engine, func, select

from backend.chain.follow import current_chain
from backend.chain.keys import ChainKeys, load_chain_keys
from backend.chain.observe import examine
from backend.chain.rpc import Node, NodeError
from backend.clock import Clock
from backend.credentials.published import newest_key_list
from backend.db.clock import now_ms
from backend.db.engine import is_missing, read
from backend.db.failures import failure_of
from backend.db.migrate import is_current
from backend.db.tables.chain import ChainJob, Lease
from backend.db.tables.events import Event
from backend.db.tables.orders import Outbox
from backend.db.tables.restores import waiting
from backend.db.tables.upkeep import BACKUP, DRILL, Upkeep, upkeep_of
from backend.errors import SettingError
from backend.i18n import gettext as _
from backend.notices.operators import require_services
from backend.ops.disk import FULL_DISK_BYTES, LOW_DISK_BYTES, free_bytes
from backend.ops.readings import WATCH_LEASE, signer_answers
from backend.ops.roles import missing_roles
from backend.ops.sensor_file import sensors_of
from backend.ops.upkeep import OLD_HOURS
from backend.settings import Settings, require_private

MAX_CLOCK_SECONDS = 2.0  # between this host and the database's
KEY_LIST_DAYS = 7  # before a key list ends
NAMED_ROLES = 5  # that are missing
LOW_FUNDS_WEI = 10**17  # a tenth of a coin mints some ten thousand tickets at one gwei

Verdict = Literal["good", "look", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `what` says how it is; `do` what to do, empty where there is nothing to do."""

    area: str
    verdict: Verdict
    what: str
    do: str = ""


def examine_installation(settings: Settings, engine: Engine, nodes: list[Node], clock: Clock) -> Iterator[Finding]:
    """Everything, in the order in which things depend on one another."""
    yield _folder(settings.data_dir)
    yield _disk(settings.data_dir)
    keys = _chain_keys(settings)
    yield keys if isinstance(keys, Finding) else Finding("keys", "good", _("The chain keys can be read"))
    database = _database(settings, engine)
    yield database
    if database.verdict == "good":
        yield from _restored(engine)
        yield _clock(engine, clock)
        yield _worker(engine)
        yield _key_list(engine, clock)
        yield _outbox(engine)
        yield _backup(engine)
        yield _drill(engine)
    yield _signer(settings)
    yield _sensors(settings.data_dir)
    yield _alerts(settings.alert_urls)
    yield from _chain(settings, engine, nodes, keys, database.verdict == "good")


def _folder(folder: Path) -> Finding:
    if not folder.is_dir():
        return Finding("configuration", "bad", _("There is no folder %s") % folder, _("Run: truestub init"))
    try:
        require_private(folder / "keys")
        probe = folder / ".doctor"
        probe.touch()
        probe.unlink()
    except SettingError as error:
        return Finding("configuration", "bad", f"{error.name} {error.sentence}", _("Run: chmod go-rwx on it"))
    except FileNotFoundError:
        return Finding("configuration", "bad", _("There are no keys in %s") % folder, _("Run: truestub init"))
    except OSError as error:
        do = _("Give this user the folder: chown it")
        return Finding(
            "configuration",
            "bad",
            _("Can't write into %(folder)s: %(why)s") % {"folder": folder, "why": error.strerror},
            do,
        )
    return Finding("configuration", "good", _("The settings can work; the data folder is ours alone"))


def _disk(folder: Path) -> Finding:
    free = free_bytes(folder)
    if free is None:
        return Finding("disk", "look", _("The system does not say how much room the disk has"))
    what = _("%d MiB are free on the disk") % (free // 1024**2)
    if free >= LOW_DISK_BYTES:
        return Finding("disk", "good", what)
    return Finding("disk", "bad" if free < FULL_DISK_BYTES else "look", what, _("Make room, or move the data folder"))


def _database(settings: Settings, engine: Engine) -> Finding:
    if is_missing(settings.database_url):
        return Finding("database", "bad", _("There is no database yet"), _("Run: truestub init, or truestub restore"))
    try:
        current = is_current(engine)
    except Exception as error:
        if failure_of(error) is None:
            raise
        do = _("Start it, or correct TRUESTUB_DATABASE_URL; see docs/runbooks/database-down.md")
        return Finding("database", "bad", _("The database does not answer"), do)
    if not current:
        return Finding("migrations", "bad", _("The schema is not this program's"), _("Run: truestub db upgrade"))
    return Finding("database", "good", _("The database answers and has our schema"))


def _clock(engine: Engine, clock: Clock) -> Finding:
    with read(engine) as connection:
        before = clock()
        there = now_ms(connection) / 1000
        apart = there - (before + clock()) / 2
    what = _("This host's clock and the database's are %.1f s apart") % abs(apart)
    if abs(apart) <= MAX_CLOCK_SECONDS:
        return Finding("clock", "good", what)
    return Finding("clock", "bad", what, _("Have both set by NTP; chronyc tracking says how far off a host is"))


def _worker(engine: Engine) -> Finding:
    with read(engine) as connection:
        now = now_ms(connection)
        expires = connection.scalar(select(Lease.expires_ms).where(Lease.name == WATCH_LEASE))
    if expires is not None and expires >= now:
        return Finding("worker", "good", _("A worker runs"))
    return Finding("worker", "look", _("No worker runs: nothing is minted or told"), _("Run: truestub work"))


def _key_list(engine: Engine, clock: Clock) -> Finding:
    with read(engine) as connection:
        found = newest_key_list(connection)
        events = connection.scalar(select(func.count()).select_from(Event)) or 0
    if found is None:
        do = _("Run: truestub keys publish")
        return Finding("keys", "bad" if events else "look", _("No key list is published; gates trust nothing"), do)
    days = (found.expires - clock()) / 86400
    what = _("The key list holds for %d more days") % max(0, int(days))
    if days > KEY_LIST_DAYS:
        return Finding("keys", "good", what)
    return Finding("keys", "bad" if days < 0 else "look", what, _("Run: truestub keys publish"))


def _outbox(engine: Engine) -> Finding:
    with read(engine) as connection:
        failed = connection.scalar(select(func.count()).where(Outbox.state == "failed")) or 0
        refused = connection.execute(
            select(ChainJob.id, ChainJob.error)
            .where(ChainJob.error.isnot(None), ChainJob.state.in_(("queued", "signed", "sent")))
            .order_by(ChainJob.id)
            .limit(1)
        ).one_or_none()
    if refused is not None:
        words = {"job": refused.id, "error": refused.error}
        do = _("An account without its role or funds is the usual reason; see docs/runbooks/chain-refuses.md")
        return Finding("chain", "look", _("Job %(job)d is held up: %(error)s") % words, do)
    if failed:
        return Finding("outbox", "look", _("%d messages were given up") % failed, _("Look at the log of truestub work"))
    return Finding("outbox", "good", _("Nothing in the outbox was given up"))


def _restored(engine: Engine) -> Iterator[Finding]:
    with read(engine) as connection:
        if waiting(connection) is not None:
            what = _("This database was put back from a copy: sales, minting and mail wait")
            yield Finding(
                "database", "bad", what, _("Run: truestub reconcile; see docs/runbooks/older-backup-restored.md")
            )


def _backup(engine: Engine) -> Finding:
    last, hours = _upkeep(engine, BACKUP)
    do = _("Run truestub backup on a schedule; see docs/runbooks/backup-old.md")
    if last.problem is not None:
        do = _("Mend that and run: truestub backup; see docs/runbooks/backup-old.md")
        return Finding("backup", "bad", _("The last backup failed: %s") % last.problem, do)
    if not last.ever:
        return Finding("backup", "look", _("There was no backup yet"), do)
    what = _("The last backup is %d h old") % hours
    return Finding("backup", "good", what) if hours < OLD_HOURS[BACKUP] else Finding("backup", "bad", what, do)


def _drill(engine: Engine) -> Finding:
    last, hours = _upkeep(engine, DRILL)
    do = _("Run truestub drill on a schedule; see docs/runbooks/backup-old.md")
    if last.problem is not None:
        do = _("Mend that and run: truestub drill; see docs/runbooks/backup-old.md")
        return Finding("backup", "bad", _("The last drill failed: %s") % last.problem, do)
    if not last.ever:
        return Finding("backup", "look", _("There was no drill yet: nobody knows if the backups are whole"), do)
    what = _("The last drill was %d h ago, and its backup was whole") % hours
    return Finding("backup", "good", what) if hours < OLD_HOURS[DRILL] else Finding("backup", "look", what, do)


def _upkeep(engine: Engine, name: str) -> tuple[Upkeep, int]:
    with read(engine) as connection:
        found, now = upkeep_of(connection, name), now_ms(connection)
    return found, (now - (found.since_ms or now)) // 3_600_000


def _signer(settings: Settings) -> Finding:
    if signer_answers(settings.signer_socket):
        return Finding("keys", "good", _("The signer answers"))
    return Finding("keys", "look", _("The signer does not answer: no new codes"), _("Run: truestub signer run"))


def _sensors(folder: Path) -> Finding:
    try:
        count = len(sensors_of(folder))
    except SettingError as error:
        return Finding(
            "sensors", "bad", f"{error.name} {error.sentence}", _("Correct the file; see docs/operating/README.md")
        )
    return Finding("sensors", "good", _("%d sensors are read") % count)


def _alerts(urls: Sequence[str]) -> Finding:
    try:
        require_services(urls)
    except SettingError as error:
        do = _("Correct TRUESTUB_ALERT_URLS; see docs/operating/README.md")
        return Finding("alerts", "bad", f"{error.name} {error.sentence}", do)
    return Finding("alerts", "good", _("Operators are told over %d services") % len(urls))


def _chain_keys(settings: Settings) -> ChainKeys | Finding:
    try:
        return load_chain_keys(settings)
    except SettingError as error:
        return Finding("keys", "bad", f"{error.name} {error.sentence}", _("Run: truestub init"))
    except OSError as error:
        return Finding("keys", "bad", _("The chain keys can't be read: %s") % error.strerror, _("Run: truestub init"))


def _chain(
    settings: Settings, engine: Engine, nodes: list[Node], keys: ChainKeys | Finding, database: bool
) -> Iterator[Finding]:
    if not nodes:
        do = _("Set TRUESTUB_NODE_URLS; sales go on without it")
        yield Finding("chain", "look", _("No chain node is configured: nothing is minted"), do)
        return
    for node in nodes:
        yield _node(settings, engine, node, database=database)
    for node in nodes:
        try:
            if isinstance(keys, ChainKeys):
                yield _funds(node, keys)
                if database:
                    yield _roles(engine, node, keys)
            yield _node_clock(node)
        except NodeError:
            continue
        return


def _node(settings: Settings, engine: Engine, node: Node, *, database: bool) -> Finding:
    try:
        chain_id = int(node.call("eth_chainId"), 16)
    except (NodeError, ValueError, TypeError) as error:
        what = _("%(node)s is not an Ethereum node that answers: %(why)s") % {"node": node.name, "why": error}
        return Finding("chain", "look", what, _("Start it or correct TRUESTUB_NODE_URLS; sales stay open"))
    if chain_id != settings.chain_id:
        words = {"node": node.name, "there": chain_id, "wanted": settings.chain_id}
        what = _("%(node)s is chain %(there)d, not %(wanted)d") % words
        return Finding("chain", "bad", what, _("Correct TRUESTUB_NODE_URLS or TRUESTUB_CHAIN_ID"))
    chain = current_chain(engine) if database else None
    if chain is None:
        return Finding("chain", "good", _("%s answers; nothing of ours is there yet") % node.name)
    try:
        kind = examine(engine, node, chain).diagnosis.kind.value
    except NodeError as error:
        return Finding("chain", "look", f"{node.name}: {error}", _("Look again: truestub chain status"))
    if kind == "ok":
        return Finding("chain", "good", _("%s is our chain; our contracts are there with their code") % node.name)
    what = _("%(node)s is %(kind)s: its blocks or the code at our contracts' addresses are not ours") % {
        "node": node.name,
        "kind": kind,
    }
    bad: Verdict = "look" if kind == "behind" else "bad"
    return Finding("chain", bad, what, _("See truestub chain status, then truestub chain replay"))


def _funds(node: Node, keys: ChainKeys) -> Finding:
    poor = [
        f"{role} 0x{key.address.hex()}"
        for role, key in (("issuer", keys.issuer), ("operator", keys.operator))
        if int(node.call("eth_getBalance", "0x" + key.address.hex(), "latest"), 16) < LOW_FUNDS_WEI
    ]
    if poor:
        what = _("These accounts have next to no funds: %s") % ", ".join(poor)
        return Finding("chain", "bad", what, _("Send them the chain's coin; what waits is then minted by itself"))
    return Finding("chain", "good", _("The accounts that sign have funds"))


def _roles(engine: Engine, node: Node, keys: ChainKeys) -> Finding:
    try:
        missing = list(missing_roles(engine, node, keys))
    except ValueError:  # an address without code answers with nothing; `_node` says so
        do = _("Look again: truestub chain status")
        return Finding("chain", "look", _("A contract of an event on sale does not answer"), do)
    if missing:
        what = _("These roles are missing on the chain: %s") % "; ".join(missing[:NAMED_ROLES])
        do = _("Have the admin grant them (SPEC 8.4); what waits then goes on by itself")
        return Finding("chain", "bad", what, do)
    return Finding("chain", "good", _("Our accounts have their roles"))


def _node_clock(node: Node) -> Finding:
    block = node.call("eth_getBlockByNumber", "latest", False)
    age = time.time() - int(block["timestamp"], 16)
    what = _("The node's newest block is %d s old by this host's clock") % age
    if -15 <= age <= 300:
        return Finding("clock", "good", what)
    return Finding("clock", "look", what, _("Either the node stands still or a clock is wrong: chronyc tracking"))
