/** What a wallet shows: full codes, compact codes, answers to a gate's challenge (SPEC 3). */

import { CREDENTIAL_BYTES, decodeCredential, digestOf } from "./body.js";
import { ANSWER_BYTES, COMPACT_BYTES, FULL_BYTES, toDigits } from "./digits.js";
import { Malformed } from "./results.js";
import { DOMAINS, EVENT_TAG_BYTES, verify } from "./signing.js";
import { concat, exact, toBigInt, toNumber, uint } from "./wire.js";

const COMPACT_VERSION = 0; // unstable, like the body's
export const MAX_EVENT_INDEX = (1 << 12) - 1;
export const MAX_GATE_NUMBER = 999; // three of the nine digits of a challenge
export const MAX_CHALLENGE = 999_999; // six
export const MAX_COMPACT_TOKEN_ID = (1n << 40n) - 1n;

/**
 * A code of any kind, told by its length; fields checked, no signature verified; or Malformed.
 *
 * `kind` is "full", "compact" or "answer". Full codes and answers carry a `credential`.
 */
export function decodeCode(payload) {
  if (payload.length === COMPACT_BYTES) return decodeCompact(payload);
  if (payload.length !== FULL_BYTES && payload.length !== ANSWER_BYTES) return new Malformed("wrong_length");
  const credential = decodeCredential(payload.subarray(0, CREDENTIAL_BYTES));
  if (credential instanceof Malformed) return credential;
  const rest = payload.subarray(CREDENTIAL_BYTES);
  if (payload.length === FULL_BYTES) {
    return { kind: "full", credential, timestamp: toNumber(rest.subarray(0, 4)), signature: rest.subarray(4) };
  }
  const [gateNumber, challenge, timestamp] = [0, 4, 8].map((at) => toNumber(rest.subarray(at, at + 4)));
  if (gateNumber < 1 || gateNumber > MAX_GATE_NUMBER || challenge > MAX_CHALLENGE) {
    return new Malformed("challenge_out_of_range");
  }
  return { kind: "answer", credential, gateNumber, challenge, timestamp, signature: rest.subarray(12) };
}

/** True if the device key in the credential signed the full code or answer. */
export function isSignedByHolder(code) {
  const key = code.credential.body.holderKey;
  if (code.kind === "full") {
    return verify(DOMAINS.presentation, fullMessage(code.credential, code.timestamp), code.signature, key);
  }
  const message = answerMessage(code.credential, code.gateNumber, code.challenge, code.timestamp);
  return verify(DOMAINS.answer, message, code.signature, key);
}

/** `eventTag` and `holderKey` come from the gate's bundle, never from the code. */
export function isCompactSignedByHolder(code, eventTag, holderKey) {
  const message = compactMessage(eventTag, code.tokenId, code.serial, code.timestamp);
  return verify(DOMAINS.compact, message, code.signature, holderKey);
}

/**
 * The digits of a full code. `sign` turns `domain ‖ message` into a promise of 64 bytes: the device key may be one that
 * a script can use but not read.
 */
export async function presentFull(credential, timestamp, sign) {
  const message = fullMessage(credential, timestamp);
  const signature = await sign(concat(DOMAINS.presentation, message));
  return toDigits(concat(credential.encoded, uint(timestamp, 4, "timestamp"), signature));
}

/** The digits of a compact code for `credential`; RangeError if an index is beyond what the short form can name. */
export async function presentCompact(credential, eventIndex, timestamp, sign) {
  const { eventTag, tokenId, serial } = credential.body;
  if (!(eventIndex >= 0 && eventIndex <= MAX_EVENT_INDEX)) throw new RangeError(`event index ${eventIndex}`);
  const message = compactMessage(eventTag, tokenId, serial, timestamp);
  const signature = await sign(concat(DOMAINS.compact, message));
  const head = uint((COMPACT_VERSION << 12) | eventIndex, 2, "event index");
  return toDigits(concat(head, uint(tokenId, 5, "token id"), message.subarray(17), signature));
}

/** The digits of the answer to the nine digits of a gate: its number in three, then six. */
export async function answerChallenge(credential, nineDigits, timestamp, sign) {
  if (!/^[0-9]{9}$/.test(nineDigits) || nineDigits.startsWith("000")) throw new RangeError("not a gate's challenge");
  const [gateNumber, challenge] = [Number(nineDigits.slice(0, 3)), Number(nineDigits.slice(3))];
  const message = answerMessage(credential, gateNumber, challenge, timestamp);
  const signature = await sign(concat(DOMAINS.answer, message));
  return toDigits(concat(credential.encoded, message.subarray(32), signature));
}

function decodeCompact(payload) {
  const head = toNumber(payload.subarray(0, 2));
  if (head >> 12 !== COMPACT_VERSION) return new Malformed("unknown_version");
  const serial = toNumber(payload.subarray(7, 9));
  if (serial === 0) return new Malformed("serial_zero");
  return {
    kind: "compact",
    eventIndex: head & MAX_EVENT_INDEX,
    tokenId: toBigInt(payload.subarray(2, 7)),
    serial,
    timestamp: toNumber(payload.subarray(9, 13)),
    signature: payload.subarray(13),
  };
}

function fullMessage(credential, timestamp) {
  return concat(digestOf(credential), uint(timestamp, 4, "timestamp"));
}

function compactMessage(eventTag, tokenId, serial, timestamp) {
  return concat(
    Uint8Array.of(COMPACT_VERSION),
    exact(eventTag, EVENT_TAG_BYTES, "event tag"),
    uint(tokenId, 8, "token id"),
    uint(serial, 2, "serial"),
    uint(timestamp, 4, "timestamp"),
  );
}

function answerMessage(credential, gateNumber, challenge, timestamp) {
  const asked = concat(uint(gateNumber, 4, "gate number"), uint(challenge, 4, "challenge"));
  return concat(digestOf(credential), asked, uint(timestamp, 4, "timestamp"));
}
