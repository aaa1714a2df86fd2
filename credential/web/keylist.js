/**
 * Which keys to trust, in the words of the offline roots (SPEC 5.1): TUF's rules, cut to what a gate needs.
 *
 * A key list in memory is what `decodeKeyList` answers: its fields, `encoded` (what the roots signed) and `signatures`.
 */

import { Malformed, Untrusted } from "./results.js";
import { DOMAINS, EVENT_TAG_BYTES, KEY_ID_BYTES, PLATFORM_ID_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from "./signing.js";
import { isValidKey, keyId, sha256, verify } from "./signing.js";
import { Reader, WireError, equal, fromHex, hex, isAscending, strictly } from "./wire.js";

const MAGIC = Uint8Array.of(0x54, 0x53, 0x4b, 0); // "TSK", format version 0
export const MAX_KEY_LIST_BYTES = 1 << 20;

export const ROLE = Object.freeze({ issuing: 1, bundle: 2, gate: 3 });
export const REASON = Object.freeze({ none: 0, rotated: 1, compromised: 2 });

/** The trust root that a gate is given by hand; RangeError if it is not one. */
export function trustRoot({ platform_id: platformId, threshold, root_keys: rootKeys }) {
  const keys = rootKeys.map(fromHex);
  const platform = fromHex(platformId);
  const isSound = platform.length === PLATFORM_ID_BYTES && keys.every(isValidKey);
  if (!isSound || !(threshold >= 1 && threshold <= keys.length)) throw new RangeError("not a trust root");
  return { platformId: platform, threshold, rootKeys: keys };
}

/**
 * The list, if the roots known so far and its own roots both signed it, and it is neither older nor expired; else
 * Malformed or Untrusted.
 *
 * `trusted` is the list in force, or the trust root of a new gate; `seenVersion` the highest version ever accepted.
 */
export function verifyKeyList(data, trusted, now, seenVersion = 0) {
  const list = decodeKeyList(data);
  if (list instanceof Malformed) return list;
  if (!equal(list.platformId, trusted.platformId)) return new Untrusted("other_platform");
  for (const { rootKeys, threshold } of [trusted, list]) {
    if (countSigners(list, rootKeys) < threshold) return new Untrusted("not_enough_root_signatures");
  }
  if (trusted.version === list.version && !equal(list.encoded, trusted.encoded)) {
    return new Untrusted("same_version_other_content");
  }
  if (list.version < seenVersion) return new Untrusted("older_version");
  return now >= list.expires ? new Untrusted("expired") : list;
}

/** The list, nothing verified; or Malformed. */
export function decodeKeyList(data) {
  if (data.length > MAX_KEY_LIST_BYTES) return new Malformed("too_long");
  const reader = new Reader(data);
  const list = strictly(() => {
    if (!equal(reader.take(4), MAGIC)) throw new WireError("not_a_key_list");
    const fields = readFields(reader);
    const encoded = data.subarray(0, reader.at);
    const signatures = reader.list(reader.uint(1), () => [reader.take(KEY_ID_BYTES), reader.take(SIGNATURE_BYTES)]);
    reader.end();
    return { ...fields, encoded, signatures };
  });
  if (list instanceof Malformed) return list;
  return isAscending(list.signatures.map(([signer]) => signer)) ? Object.freeze(list) : new Malformed("not_in_order");
}

/** SHA-256 of what the roots signed. */
export const keyListDigest = (list) => sha256(list.encoded);

/** The entry with this 4-byte key id and role, or undefined. */
export function findKey(list, wanted, role) {
  return list.entries.find((entry) => equal(entry.keyId, wanted) && entry.role === role);
}

/** True if something the key of `entry` says it signed at `signedAt` holds. */
export function maySignAt(entry, signedAt) {
  if (entry.reason === REASON.compromised) return false;
  if (entry.reason === REASON.rotated && signedAt > entry.revokedAt) return false;
  return entry.notBefore <= signedAt && signedAt < entry.notAfter;
}

/** True if the key of `entry` speaks for the event. */
export const covers = (entry, eventTag) => entry.eventTag === null || equal(entry.eventTag, eventTag);

function readFields(reader) {
  const platformId = reader.take(PLATFORM_ID_BYTES);
  const [version, issued, expires, threshold] = [4, 4, 4, 1].map((size) => reader.uint(size));
  const rootKeys = reader.list(reader.uint(1), () => reader.take(PUBLIC_KEY_BYTES));
  const entries = reader.list(reader.uint(2), readEntry);
  const rootIds = rootKeys.map(keyId);
  const entryIds = entries.map((entry) => entry.keyId);
  if (!isAscending(rootIds) || !isAscending(entryIds)) throw new WireError("not_in_order");
  const isSound =
    1 <= threshold && threshold <= rootKeys.length && version >= 1 && expires > issued &&
    new Set([...rootIds, ...entryIds].map(hex)).size === rootIds.length + entryIds.length &&
    [...rootKeys, ...entries.map((entry) => entry.publicKey)].every(isValidKey) && entries.every(isSoundEntry);
  if (!isSound) throw new WireError("bad_value");
  return { platformId, version, issued, expires, threshold, rootKeys, entries };
}

function readEntry(reader) {
  const publicKey = reader.take(PUBLIC_KEY_BYTES);
  const role = reader.uint(1);
  const scope = reader.take(EVENT_TAG_BYTES);
  const [notBefore, notAfter, revokedAt, reason] = [4, 4, 4, 1].map((size) => reader.uint(size));
  if (!Object.values(ROLE).includes(role) || !Object.values(REASON).includes(reason)) throw new WireError("bad_value");
  const eventTag = scope.some(Boolean) ? scope : null; // null: every event of the platform
  return { keyId: keyId(publicKey), publicKey, role, eventTag, notBefore, notAfter, revokedAt, reason };
}

function isSoundEntry(entry) {
  return (entry.reason === REASON.none) === (entry.revokedAt === 0) && entry.notAfter > entry.notBefore;
}

/** How many of the roots have a good signature; each counts once, since key ids are unique. */
function countSigners(list, rootKeys) {
  const known = new Map(rootKeys.map((root) => [hex(keyId(root)), root]));
  return list.signatures.filter(([signer, signature]) => {
    const root = known.get(hex(signer));
    return root !== undefined && verify(DOMAINS.keyList, list.encoded, signature, root);
  }).length;
}
