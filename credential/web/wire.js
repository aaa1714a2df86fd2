/**
 * Fixed-size big-endian fields, written and read strictly (SPEC 1.2).
 *
 * Writers throw RangeError naming the field: wrong values are a caller's mistake. Readers throw WireError, which the
 * decoders of this folder turn into Malformed: wrong bytes are expected. Numbers of up to 6 bytes are Number, longer
 * ones BigInt.
 */

import { Malformed } from "./results.js";

// Names go to a screen, and must not steer it: no control characters, no line breaks, no turning of the direction.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

export class WireError extends Error {
  /** @param {string} reason a code of SPEC 1.4 */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/** `value` (Number or BigInt) as `size` big-endian bytes. */
export function uint(value, size, field) {
  let rest = BigInt(value);
  if (rest < 0n || rest >> BigInt(8 * size)) {
    throw new RangeError(`${field} must fit into ${size} bytes without a sign, got ${value}`);
  }
  const bytes = new Uint8Array(size);
  for (let at = size - 1; at >= 0; at -= 1) {
    bytes[at] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

/** `bytes` itself; RangeError unless it is `size` long. */
export function exact(bytes, size, field) {
  if (bytes.length !== size) throw new RangeError(`${field} must be ${size} bytes, got ${bytes.length}`);
  return bytes;
}

/** Big-endian, at most 6 bytes. */
export function toNumber(bytes) {
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return value;
}

/** Big-endian, of any length. */
export function toBigInt(bytes) {
  return bytes.length ? BigInt(`0x${hex(bytes)}`) : 0n;
}

export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Negative, zero or positive, as the bytes of `left` sort before, with or after those of `right`. */
export function compare(left, right) {
  const shared = Math.min(left.length, right.length);
  for (let at = 0; at < shared; at += 1) {
    if (left[at] !== right[at]) return left[at] - right[at];
  }
  return left.length - right.length;
}

export const equal = (left, right) => compare(left, right) === 0;

export const isAscending = (values) => values.every((value, at) => at === 0 || compare(values[at - 1], value) < 0);

export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bytes of lower- or upper-case hex, with or without 0x; RangeError for anything else. */
export function fromHex(text) {
  const digits = text.startsWith("0x") ? text.slice(2) : text;
  if (digits.length % 2 || /[^0-9a-fA-F]/.test(digits)) throw new RangeError("not hexadecimal");
  return Uint8Array.from({ length: digits.length / 2 }, (_, at) => parseInt(digits.slice(2 * at, 2 * at + 2), 16));
}

/** Takes fields off the front of `data`; throws WireError when they are not there. */
export class Reader {
  constructor(data) {
    this.data = data;
    this.at = 0;
  }

  take(size) {
    if (size > this.data.length - this.at) throw new WireError("truncated");
    this.at += size;
    return this.data.subarray(this.at - size, this.at);
  }

  uint(size) {
    return toNumber(this.take(size));
  }

  bigUint(size) {
    return toBigInt(this.take(size));
  }

  text() {
    const raw = this.take(this.uint(1));
    let value;
    try {
      value = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
    } catch {
      throw new WireError("not_utf8");
    }
    if (CONTROL.test(value)) throw new WireError("not_printable");
    return value;
  }

  /** `count` values, each made by `read`. */
  list(count, read) {
    return Array.from({ length: count }, () => read(this));
  }

  end() {
    if (this.at !== this.data.length) throw new WireError("trailing_bytes");
  }
}

/** What `read` answers; a WireError becomes Malformed. */
export function strictly(read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof WireError) return new Malformed(error.reason);
    throw error;
  }
}
