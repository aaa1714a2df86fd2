/** The bytes of the admission log (SPEC 7), the same as `verifier/records.py` writes: records chained by a hash. */

import { sha256 } from "../../credential/web/signing.js";
import { concat, uint } from "../../credential/web/wire.js";

const MAGIC = Uint8Array.of(0x54, 0x53, 0x4c, 0); // "TSL", format version 0
export const LOG_ID_BYTES = 16;
const TYPE = Object.freeze({ admission: 1, seen: 2 });
const KIND = Object.freeze({ full: 1, compact: 2, answer: 3 });

/** The hash that the first record of a log is chained to. `logId` is 16 random bytes. */
export const firstHead = (logId) => sha256(concat(MAGIC, logId));

/** The head after a record with this payload. */
export function nextHead(head, payload) {
  const length = concat(uint(payload.length, 2, "length"), uint(payload.length ^ 0xffff, 2, "complement"));
  return sha256(concat(head, length, payload));
}

/** The payload of an admission, as `check` answers it. */
export function admissionPayload(admission) {
  return concat(
    Uint8Array.of(TYPE.admission),
    named(admission),
    Uint8Array.of(KIND[admission.kind]),
    uint(admission.gateNumber, 2, "gate number"),
    uint(admission.bundleVersion, 4, "bundle version"),
    admission.evidence,
  );
}

/** The payload of a newly seen serial, as `check` answers it. */
export function seenPayload(seen) {
  return concat(Uint8Array.of(TYPE.seen), named(seen), seen.evidence);
}

function named({ eventTag, tokenId, serial, keyId, at }) {
  return concat(eventTag, uint(tokenId, 8, "token id"), uint(serial, 2, "serial"), keyId, uint(at, 4, "at"));
}
