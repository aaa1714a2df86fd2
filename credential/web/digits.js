/** The text in the QR picture: decimal digits (SPEC 3.1). */

import { Malformed } from "./results.js";
import { toBigInt, uint } from "./wire.js";

export const COMPACT_BYTES = 77;
export const FULL_BYTES = 203;
export const ANSWER_BYTES = 211;

/** Digits by bytes: 186, 489, 509. */
export const DIGITS_OF = new Map(
  [COMPACT_BYTES, FULL_BYTES, ANSWER_BYTES].map((size) => [size, String((1n << BigInt(8 * size)) - 1n).length]),
);
const LONGEST = 2 * Math.max(...DIGITS_OF.values()); // in UTF-16 units, whatever the characters
const BYTES_OF = new Map([...DIGITS_OF].map(([size, digits]) => [digits, size]));

/** 186, 489 or 509 digits for 77, 203 or 211 bytes; RangeError for any other length. */
export function toDigits(payload) {
  const digits = DIGITS_OF.get(payload.length);
  if (digits === undefined) throw new RangeError(`no code has ${payload.length} bytes`);
  return String(toBigInt(payload)).padStart(digits, "0");
}

/** The payload, or Malformed. Exactly ASCII 0-9, exactly one of the three lengths, no number too large for its bytes. */
export function fromDigits(text) {
  if (text.length > LONGEST) return new Malformed("wrong_length");
  const size = BYTES_OF.get([...text].length); // characters, not UTF-16 units
  if (size === undefined) return new Malformed("wrong_length");
  if (!/^[0-9]+$/.test(text)) return new Malformed("not_digits");
  const number = BigInt(text);
  if (number >> BigInt(8 * size)) return new Malformed("number_too_large");
  return uint(number, size, "code");
}
