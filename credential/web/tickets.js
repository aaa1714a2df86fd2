/** The tickets of a bundle as columns by rank (SPEC 5.2): 2 bits of status, 6 bytes of serial and place, 32 of key. */

import { PUBLIC_KEY_BYTES } from "./signing.js";
import { WireError, concat, toNumber, uint } from "./wire.js";

export const STATUS = Object.freeze({ valid: 0, redeemed: 1, revoked: 2, suspended: 3 });
export const STATUS_NAMES = Object.freeze(Object.keys(STATUS));
const SERIAL_BYTES = 2;
const PLACE_BYTES = 4; // zone 1, seat 3

/** Rows by rank, kept as packed columns. `holderKeys` is empty if no ticket has one. */
export class Tickets {
  constructor(count, status, serials, places, holderKeys) {
    Object.assign(this, { count, status, serials, places, holderKeys });
    Object.freeze(this);
  }

  /** The inverse of `encode`; WireError if bits beyond the last ticket are set, or the key column is needless. */
  static read(reader, count) {
    const status = reader.take(Math.ceil(count / 4));
    const serials = reader.take(SERIAL_BYTES * count);
    const places = reader.take(PLACE_BYTES * count);
    const hasKeys = reader.uint(1);
    if (hasKeys > 1 || (count % 4 && status[status.length - 1] >> (2 * (count % 4)))) throw new WireError("bad_value");
    const holderKeys = reader.take(PUBLIC_KEY_BYTES * count * hasKeys);
    if (hasKeys && !holderKeys.some(Boolean)) throw new WireError("bad_value");
    return new Tickets(count, status, serials, places, holderKeys);
  }

  /** A ticket as the bundle knows it: `serial` 0 if it has no credential, `holderKey` null if not listed. */
  row(rank) {
    if (!(rank >= 0 && rank < this.count)) throw new RangeError(`no ticket has rank ${rank}`);
    const place = slot(this.places, rank, PLACE_BYTES);
    const key = slot(this.holderKeys, rank, PUBLIC_KEY_BYTES);
    return {
      status: (this.status[rank >> 2] >> (2 * (rank & 3))) & 3,
      serial: toNumber(slot(this.serials, rank, SERIAL_BYTES)),
      holderKey: key.some(Boolean) ? key : null,
      zone: place[0],
      seat: toNumber(place.subarray(1)),
    };
  }

  /** `count` tickets, at least as many as now: those in `rows` (Map by rank) replaced, other new ones blank. */
  withRows(count, rows) {
    const status = grown(this.status, Math.ceil(count / 4));
    const serials = grown(this.serials, SERIAL_BYTES * count);
    const places = grown(this.places, PLACE_BYTES * count);
    const keys = grown(this.holderKeys, PUBLIC_KEY_BYTES * count);
    for (const [rank, row] of rows) {
      const shift = 2 * (rank & 3);
      status[rank >> 2] = (status[rank >> 2] & ~(3 << shift)) | (row.status << shift);
      serials.set(uint(row.serial, SERIAL_BYTES, "serial"), SERIAL_BYTES * rank);
      places.set(concat(uint(row.zone, 1, "zone"), uint(row.seat, 3, "seat")), PLACE_BYTES * rank);
      keys.set(row.holderKey ?? NO_KEY, PUBLIC_KEY_BYTES * rank);
    }
    return new Tickets(count, status, serials, places, keys.some(Boolean) ? keys : new Uint8Array());
  }

  encode() {
    const hasKeys = Uint8Array.of(this.holderKeys.length ? 1 : 0);
    return concat(this.status, this.serials, this.places, hasKeys, this.holderKeys);
  }
}

const NO_KEY = new Uint8Array(PUBLIC_KEY_BYTES); // the encoding of a point of small order: no device can own it

function slot(column, rank, size) {
  return column.subarray(size * rank, size * (rank + 1));
}

function grown(column, size) {
  const bytes = new Uint8Array(size);
  bytes.set(column);
  return bytes;
}
