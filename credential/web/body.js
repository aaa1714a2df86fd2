/**
 * The 71 bytes an issuer signs, and the 135 of a credential (SPEC 2).
 *
 * Evolution: the first byte is the version; it decides the meaning of all that follows, and unknown ones are refused.
 */

import { Malformed } from "./results.js";
import { DOMAINS, EVENT_TAG_BYTES, KEY_ID_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES, sha256, verify } from "./signing.js";
import { Reader, WireError, strictly } from "./wire.js";

const VERSION = 0; // unstable until the gate's format is frozen
export const BODY_BYTES = 71;
export const CREDENTIAL_BYTES = BODY_BYTES + SIGNATURE_BYTES;

/** A body, or Malformed. Times are Unix seconds; `tokenId` is a BigInt; `seat` and `zone` 0 mean none. */
export function decodeBody(data) {
  if (data.length !== BODY_BYTES) return new Malformed("wrong_length");
  if (data[0] !== VERSION) return new Malformed("unknown_version");
  return strictly(() => readBody(new Reader(data)));
}

/** A body and its issuer's signature, decoded but not verified; or Malformed. */
export function decodeCredential(data) {
  if (data.length !== CREDENTIAL_BYTES) return new Malformed("wrong_length");
  const body = decodeBody(data.subarray(0, BODY_BYTES));
  return body instanceof Malformed ? body : { encoded: data, body };
}

/** True if the 32-byte issuing key signed the credential. */
export function isSignedByIssuer({ encoded }, issuingKey) {
  return verify(DOMAINS.credential, encoded.subarray(0, BODY_BYTES), encoded.subarray(BODY_BYTES), issuingKey);
}

export const digestOf = (credential) => sha256(credential.encoded);

function readBody(reader) {
  const body = {
    version: reader.uint(1),
    keyId: reader.take(KEY_ID_BYTES),
    eventTag: reader.take(EVENT_TAG_BYTES),
    tokenId: reader.bigUint(8),
    serial: reader.uint(2),
    classNumber: reader.uint(1),
    zone: reader.uint(1),
    seat: reader.uint(3),
    flags: reader.uint(1),
    notBefore: reader.uint(4),
    lifetimeMinutes: reader.uint(2),
    issuedAt: reader.uint(4),
    holderKey: reader.take(PUBLIC_KEY_BYTES),
  };
  if (body.flags !== 0) throw new WireError("unknown_flags");
  if (body.serial === 0) throw new WireError("serial_zero");
  if (body.lifetimeMinutes === 0) throw new WireError("lifetime_zero");
  body.notAfter = body.notBefore + 60 * body.lifetimeMinutes; // the first second at which it no longer holds
  return Object.freeze(body);
}
