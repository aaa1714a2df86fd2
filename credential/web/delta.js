/**
 * From one snapshot to the next in a few bytes (SPEC 5.3).
 *
 * A delta is a way to carry a signed snapshot, not a second thing to trust: applying it gives the very bytes of the
 * next snapshot, which are then verified as always.
 */

import { MAX_BUNDLE_BYTES, TRAILER_BYTES, decodeBundle, readHeader } from "./bundle.js";
import { Malformed } from "./results.js";
import { PUBLIC_KEY_BYTES, sha256 } from "./signing.js";
import { STATUS_NAMES } from "./tickets.js";
import { Reader, WireError, concat, equal, strictly } from "./wire.js";

const MAGIC = Uint8Array.of(0x54, 0x53, 0x44, 0); // "TSD", format version 0
const BLANK = Object.freeze({ status: 0, serial: 0, zone: 0, seat: 0, holderKey: null }); // a row of a new batch

export const isDelta = (data) => equal(data.subarray(0, 4), MAGIC);

/** The next signed snapshot, still to be verified; Malformed("other_base") if the delta belongs to another one. */
export function applyDelta(base, delta) {
  const old = decodeBundle(base);
  if (old instanceof Malformed) return old;
  if (delta.length > MAX_BUNDLE_BYTES) return new Malformed("too_long");
  const reader = new Reader(delta);
  return strictly(() => {
    if (!equal(reader.take(4), MAGIC)) throw new WireError("not_a_delta");
    if (!equal(reader.take(32), sha256(base))) throw new WireError("other_base");
    const header = readHeader(reader);
    const isGrown = old.batches.every((batch, at) => isSameBatch(batch, header.batches[at]));
    if (!isGrown) throw new WireError("batches_changed");
    const tickets = old.tickets.withRows(header.ticketCount, readRows(reader, old, header.ticketCount));
    const trailer = reader.take(TRAILER_BYTES);
    reader.end();
    return concat(header.encodedHeader, tickets.encode(), trailer);
  });
}

function isSameBatch(batch, other) {
  return other !== undefined && batch.count === other.count && batch.classNumber === other.classNumber;
}

function readRows(reader, old, count) {
  const rows = new Map();
  let last = -1;
  for (let left = reader.uint(4); left > 0; left -= 1) {
    const rank = reader.uint(4);
    if (!(last < rank && rank < count)) throw new WireError("not_in_order");
    const row = readRow(reader);
    if (isSameRow(row, rank < old.tickets.count ? old.tickets.row(rank) : BLANK)) throw new WireError("bad_value");
    rows.set(rank, row);
    last = rank;
  }
  return rows;
}

function readRow(reader) {
  const [status, serial, zone, seat] = [1, 2, 1, 3].map((size) => reader.uint(size));
  const key = reader.take(PUBLIC_KEY_BYTES);
  if (status >= STATUS_NAMES.length) throw new WireError("bad_value");
  return { status, serial, zone, seat, holderKey: key.some(Boolean) ? key : null };
}

function isSameRow(left, right) {
  const sameKey =
    left.holderKey === null || right.holderKey === null
      ? left.holderKey === right.holderKey
      : equal(left.holderKey, right.holderKey);
  return sameKey && ["status", "serial", "zone", "seat"].every((field) => left[field] === right[field]);
}
