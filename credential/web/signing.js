/** Ed25519 and SHA-256 as this project uses them: one strict way to verify (SPEC 1.3), and the short names (SPEC 1.1). */

import * as ed from "./vendor/noble-ed25519/index.js";
import { sha256, sha512 } from "./vendor/noble-hashes/sha2.js";
import { concat, exact, hex } from "./wire.js";

ed.hashes.sha512 = sha512; // synchronous on purpose: a check runs inside one storage transaction

export { sha256 };

export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
export const KEY_ID_BYTES = 4;
export const EVENT_TAG_BYTES = 8;
export const PLATFORM_ID_BYTES = 16;

/** One tag for each kind of signed message, so that no signature ever fits a second kind. */
export const DOMAINS = Object.freeze({
  credential: tag("truestub/credential/1"),
  presentation: tag("truestub/presentation/1"),
  compact: tag("truestub/compact/1"),
  answer: tag("truestub/answer/1"),
  possession: tag("truestub/possession/1"),
  keyList: tag("truestub/key-list/1"),
  bundle: tag("truestub/bundle/1"),
});

/**
 * True only if `signature` is one an honest signer could have made over `domain` and `message`.
 *
 * noble's strict mode refuses non-canonical encodings, small-order keys and large S, but lets keys and R of mixed
 * order pass; those are refused here, so that all libraries agree (SPEC 1.3).
 */
export function verify(domain, message, signature, publicKey) {
  if (signature.length !== SIGNATURE_BYTES || !isValidKey(publicKey)) return false;
  const fits = ed.verify(signature, concat(domain, message), publicKey, { zip215: false });
  return fits && isPrimeOrderPoint(signature.subarray(0, 32));
}

/** True for a canonical point of the prime-order group: not of small order, not mixed. */
export function isValidKey(publicKey) {
  if (publicKey.length !== PUBLIC_KEY_BYTES) return false;
  const name = hex(publicKey);
  if (goodKeys.has(name)) return true;
  if (!isPrimeOrderPoint(publicKey)) return false;
  if (goodKeys.size >= GOOD_KEYS) goodKeys.clear();
  goodKeys.add(name);
  return true;
}

/** First 4 bytes of the SHA-256 of a 32-byte public key. */
export function keyId(publicKey) {
  return sha256(exact(publicKey, PUBLIC_KEY_BYTES, "public key")).slice(0, KEY_ID_BYTES);
}

/** 8 bytes that name an event (16 bytes of its UUID) of a platform (16 bytes). */
export function eventTag(platformId, eventId) {
  const joined = concat(exact(platformId, PLATFORM_ID_BYTES, "platform id"), exact(eventId, 16, "event id"));
  return sha256(joined).slice(0, EVENT_TAG_BYTES);
}

const GOOD_KEYS = 256; // remembered, since a few issuing keys sign most of what a gate sees
const goodKeys = new Set();

function isPrimeOrderPoint(bytes) {
  try {
    const point = ed.Point.fromBytes(bytes, false);
    return !point.isSmallOrder() && point.isTorsionFree();
  } catch {
    return false; // not the encoding of a point
  }
}

function tag(name) {
  return new TextEncoder().encode(`${name}\0`);
}
