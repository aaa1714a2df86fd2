/** What a gate must know of an event to decide without a network (SPEC 5.2): signed, and verified before use. */

import { MAX_EVENT_INDEX, MAX_GATE_NUMBER } from "./codes.js";
import { ROLE, covers, findKey, keyListDigest, maySignAt } from "./keylist.js";
import { Malformed, Untrusted } from "./results.js";
import { DOMAINS, EVENT_TAG_BYTES, KEY_ID_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from "./signing.js";
import { eventTag, isValidKey, sha256, verify } from "./signing.js";
import { Tickets } from "./tickets.js";
import { Reader, WireError, equal, strictly } from "./wire.js";

const MAGIC = Uint8Array.of(0x54, 0x53, 0x42, 0); // "TSB", format version 0
export const MAX_BUNDLE_BYTES = 1 << 26; // 64 MiB
export const MAX_TICKETS = 1_500_000; // of one event
export const TRAILER_BYTES = KEY_ID_BYTES + SIGNATURE_BYTES;
const INDEX_BITS = 16n; // of a token id: the place within its batch

export const POLICY = Object.freeze({ local: 1, home: 2, refuse: 3 });

/** The bundle, if a bundle key of the list signed it for its event and it is not older than `seenVersion` (SPEC 5.4). */
export function verifyBundle(data, keyList, seenVersion = 0) {
  const bundle = decodeBundle(data);
  if (bundle instanceof Malformed) return bundle;
  const reason = whyUntrusted(data, bundle, keyList);
  if (reason !== null) return new Untrusted(reason);
  return bundle.version < seenVersion ? new Untrusted("older_version") : bundle;
}

/** A signed snapshot, decoded, the signature not verified; or Malformed. */
export function decodeBundle(data) {
  if (data.length > MAX_BUNDLE_BYTES) return new Malformed("too_long");
  return strictly(() => {
    const reader = new Reader(data);
    const header = readHeader(reader);
    const tickets = Tickets.read(reader, header.ticketCount);
    reader.take(TRAILER_BYTES);
    reader.end();
    return new Bundle(header, tickets);
  });
}

/** The fields of SPEC 5.2; times are Unix seconds. `tickets` has one row for each place of `batches`: its rank. */
export class Bundle {
  constructor(header, tickets) {
    Object.assign(this, header, { tickets });
    this.starts = [];
    header.batches.reduce((start, batch) => {
      this.starts.push(start);
      return start + batch.count;
    }, 0);
    Object.freeze(this);
  }

  /** The ticket's place among all tickets of the batches listed; null if it is not among them. */
  rank(tokenId) {
    const batch = this.batches[Number(tokenId >> INDEX_BITS) - 1];
    const index = Number(tokenId & ((1n << INDEX_BITS) - 1n));
    return batch === undefined || index >= batch.count ? null : this.starts[Number(tokenId >> INDEX_BITS) - 1] + index;
  }

  /** True if the token's batch was closed after this bundle's rows were read: unlisted, perhaps good. */
  isOfLaterBatch(tokenId) {
    return tokenId >> INDEX_BITS > BigInt(this.batches.length);
  }

  /** The class of a listed token. */
  classOf(tokenId) {
    return this.ticketClass(this.batches[Number(tokenId >> INDEX_BITS) - 1].classNumber);
  }

  /** The class of that number, or undefined. */
  ticketClass(number) {
    return this.classes.find((one) => one.number === number);
  }

  /** The zone of that number, or undefined. */
  zone(number) {
    return this.zones.find((one) => one.number === number);
  }

  /** The gate of that number, or undefined. */
  gate(number) {
    return this.gates.find((one) => one.number === number);
  }
}

/** Everything before the ticket columns. */
export function readHeader(reader) {
  const from = reader.at;
  if (!equal(reader.take(4), MAGIC)) throw new WireError("not_a_bundle");
  const header = {
    eventTag: reader.take(EVENT_TAG_BYTES),
    eventId: reader.take(16),
    eventIndex: reader.uint(2),
    eventName: reader.text(),
    chainId: reader.bigUint(8),
    contract: reader.take(20),
    version: reader.uint(4),
    issuedAt: reader.uint(4),
    rowsThrough: reader.uint(4),
    indexThrough: reader.uint(4),
    freeze: reader.uint(4),
    doors: reader.uint(4),
    ends: reader.uint(4),
    offlinePolicy: readPolicy(reader),
    keyListVersion: reader.uint(4),
    keyListDigest: reader.take(32),
    classes: reader.list(reader.uint(1), () => ({
      number: reader.uint(1), name: reader.text(), opens: reader.uint(4), closes: reader.uint(4),
    })),
    zones: reader.list(reader.uint(1), () => ({ number: reader.uint(1), name: reader.text() })),
    gates: reader.list(reader.uint(2), () => ({
      number: reader.uint(2), name: reader.text(), publicKey: readGateKey(reader),
    })),
    batches: readBatches(reader),
  };
  header.ticketCount = header.batches.reduce((sum, batch) => sum + batch.count, 0);
  if (!isSound(header)) throw new WireError("bad_value");
  header.encodedHeader = reader.data.subarray(from, reader.at);
  return header;
}

function readPolicy(reader) {
  const policy = reader.uint(1);
  if (!Object.values(POLICY).includes(policy)) throw new WireError("bad_value");
  return policy;
}

/** Null for a gate that has no key yet. */
function readGateKey(reader) {
  const key = reader.take(PUBLIC_KEY_BYTES);
  return key.some(Boolean) ? key : null;
}

function readBatches(reader) {
  const count = reader.uint(4);
  if (count > reader.data.length) throw new WireError("truncated"); // before room is made for so many
  return reader.list(count, () => ({ count: reader.uint(2), classNumber: reader.uint(1) }));
}

function isSound(header) {
  const { classes, zones, gates, batches } = header;
  const classNumbers = new Set(classes.map((one) => one.number));
  return (
    header.eventIndex <= MAX_EVENT_INDEX &&
    header.version >= 1 &&
    header.ends > header.doors &&
    classes.every((one) => one.closes > one.opens) &&
    [classes, zones, gates].every(ascendByNumber) &&
    gates.every(isSoundGate) &&
    batches.every((batch) => classNumbers.has(batch.classNumber)) &&
    header.ticketCount <= MAX_TICKETS
  );
}

function isSoundGate({ number, publicKey }) {
  return number >= 1 && number <= MAX_GATE_NUMBER && (publicKey === null || isValidKey(publicKey));
}

function ascendByNumber(rows) {
  return rows.every((row, at) => at === 0 || rows[at - 1].number < row.number);
}

/** A code of SPEC 5.4, or null. */
function whyUntrusted(data, bundle, keyList) {
  if (!equal(bundle.eventTag, eventTag(keyList.platformId, bundle.eventId))) return "other_platform";
  if (keyList.version < bundle.keyListVersion) return "needs_newer_key_list";
  const isSameList = keyList.version !== bundle.keyListVersion || equal(keyListDigest(keyList), bundle.keyListDigest);
  if (!isSameList) return "other_key_list";
  const [encoded, trailer] = [data.subarray(0, -TRAILER_BYTES), data.subarray(-TRAILER_BYTES)];
  const entry = findKey(keyList, trailer.subarray(0, KEY_ID_BYTES), ROLE.bundle);
  if (entry === undefined || !covers(entry, bundle.eventTag)) return "unknown_key";
  if (!verify(DOMAINS.bundle, sha256(encoded), trailer.subarray(KEY_ID_BYTES), entry.publicKey)) return "bad_signature";
  return maySignAt(entry, bundle.issuedAt) ? null : "key_not_valid_then";
}
