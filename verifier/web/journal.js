/**
 * What this gate remembers, in IndexedDB: its setting-up, the signed data in force, and the admission log (SPEC 7).
 *
 * Promises: an admission is on the disk, as far as the browser can say, before `decide` resolves; reading what is known
 * of a ticket, deciding, and writing are one transaction, so that two tabs can't admit one ticket twice. The browser may
 * clear all of it on its own: less than the gate program promises, and the page says so.
 */

import { hex } from "../../credential/web/wire.js";
import { openDatabase, read, transact, whenAll } from "/static/js/store.js";
import { LOG_ID_BYTES, admissionPayload, firstHead, nextHead, seenPayload } from "./records.js";

const DATABASE = "truestub-gate";
const VERSION = 1;
const SCAN_STORES = ["meta", "log", "admissions", "serials"];

export class Journal {
  /** Opens the database; rejects if the browser keeps nothing. `onLost` is called if it is taken away later. */
  static async open(onLost) {
    return new Journal(await openDatabase(DATABASE, VERSION, makeStores, onLost));
  }

  constructor(db) {
    this.db = db;
  }

  /** What was stored under a name: "setup", "keyList", "bundle", "marks", "log", "settings". */
  get(name) {
    return read(this.db, "meta", name);
  }

  /** Stores several names at once: all or none. */
  put(values) {
    return transact(this.db, ["meta"], "readwrite", ({ meta }) => {
      for (const [name, value] of Object.entries(values)) meta.put(value, name);
    });
  }

  /** Begins an empty log for a gate that was just set up; what an earlier gate wrote must have been handed over. */
  begin(setup) {
    const id = crypto.getRandomValues(new Uint8Array(LOG_ID_BYTES));
    return transact(this.db, SCAN_STORES, "readwrite", (stores) => {
      for (const name of SCAN_STORES) stores[name].clear();
      stores.meta.put(setup, "setup");
      stores.meta.put({ keyListVersion: 0, bundleVersion: 0, eventId: null, roots: null }, "marks");
      stores.meta.put({ id, next: 0, head: firstHead(id), handedOver: 0, handedOverHead: firstHead(id) }, "log");
    });
  }

  /**
   * Asks `judge(memory)` for a verdict on a ticket, and makes what it says durable. Rejects if that can't be done: then
   * nobody is let in. `judge` runs inside the transaction and must not wait for anything.
   */
  decide(eventTag, tokenId, judge) {
    const key = keyOf(eventTag, tokenId);
    return transact(this.db, SCAN_STORES, "readwrite", (stores, done, guarded) => {
      const known = [stores.admissions.get(key), stores.serials.get(key), stores.meta.get("log")];
      whenAll(known, guarded((admission, serials = {}, log) => {
        const verdict = judge(memoryOf(key, admission, serials));
        const { admission: admitted, seen } = verdict;
        if (admitted !== null) stores.admissions.add({ ...admitted, sequence: log.next }, key);
        if (admitted !== null || seen !== null) {
          append(stores, log, admitted === null ? seenPayload(seen) : admissionPayload(admitted));
          remember(stores, key, serials, admitted ?? seen);
        }
        done(verdict);
      }));
    });
  }

  /** How many records were not handed over yet. */
  async waiting() {
    const log = await this.get("log");
    return log === undefined ? 0 : log.next - log.handedOver;
  }

  /** The oldest records not handed over, at most `most`: `{id, from, head, payloads}`. */
  unsent(most) {
    return transact(this.db, ["meta", "log"], "readonly", (stores, done, guarded) => {
      whenAll([stores.meta.get("log")], guarded((log) => {
        const range = IDBKeyRange.lowerBound(log.handedOver);
        whenAll([stores.log.getAll(range, most)], (payloads) => {
          done({ id: log.id, from: log.handedOver, head: log.handedOverHead, payloads });
        });
      }));
    });
  }

  /** The server has everything of log `id` before record `next`. */
  handedOver(id, next) {
    return transact(this.db, ["meta", "log"], "readwrite", (stores, _done, guarded) => {
      whenAll([stores.meta.get("log")], guarded((log) => {
        if (hex(log.id) !== hex(id) || !(next > log.handedOver && next <= log.next)) return;
        const range = IDBKeyRange.bound(log.handedOver, next, false, true);
        whenAll([stores.log.getAll(range)], guarded((payloads) => {
          const head = payloads.reduce(nextHead, log.handedOverHead);
          stores.meta.put({ ...log, handedOver: next, handedOverHead: head }, "log");
        }));
      }));
    });
  }

  /** The server has lost what follows record `next` of log `id`: hand it over again. */
  goBack(id, next) {
    return transact(this.db, ["meta", "log"], "readwrite", (stores, _done, guarded) => {
      whenAll([stores.meta.get("log")], guarded((log) => {
        if (hex(log.id) !== hex(id) || !(next >= 0 && next < log.handedOver)) return;
        whenAll([stores.log.getAll(IDBKeyRange.upperBound(next, true))], guarded((payloads) => {
          const head = payloads.reduce(nextHead, firstHead(log.id));
          stores.meta.put({ ...log, handedOver: next, handedOverHead: head }, "log");
        }));
      }));
    });
  }

  /** How many this gate let in. */
  countAdmitted() {
    return transact(this.db, ["admissions"], "readonly", (stores, done) => {
      whenAll([stores.admissions.count()], done);
    });
  }
}

function makeStores(db) {
  for (const name of SCAN_STORES) db.createObjectStore(name);
}

function append(stores, log, payload) {
  stores.log.add(payload, log.next);
  stores.meta.put({ ...log, next: log.next + 1, head: nextHead(log.head, payload) }, "log");
}

/** A compact code names no issuing key, and no serial the bundle does not have. */
function remember(stores, key, serials, { keyId, serial }) {
  if (!keyId.some(Boolean)) return;
  const name = hex(keyId);
  stores.serials.put({ ...serials, [name]: Math.max(serial, serials[name] ?? 0) }, key);
}

function memoryOf(key, admission, serials) {
  const isAsked = (eventTag, tokenId) => keyOf(eventTag, tokenId) === key;
  return {
    admission: (eventTag, tokenId) => (isAsked(eventTag, tokenId) ? (admission ?? null) : null),
    seenSerials: (eventTag, tokenId) => new Map(isAsked(eventTag, tokenId) ? Object.entries(serials) : []),
  };
}

const keyOf = (eventTag, tokenId) => `${hex(eventTag)}/${tokenId}`;
