/**
 * The steps of a check, one function each, in the order of SPEC 6.3-6.5; the same as `verifier/steps.py`.
 *
 * A step answers with the code of its refusal, or null to go on. What a step reads is in `scan`:
 * `{code, payload, now, keyList, bundle, memory, gate}`; it changes nothing.
 */

import { isSignedByIssuer } from "../../credential/web/body.js";
import { POLICY } from "../../credential/web/bundle.js";
import { isCompactSignedByHolder, isSignedByHolder } from "../../credential/web/codes.js";
import { REASON, ROLE, covers, findKey, maySignAt } from "../../credential/web/keylist.js";
import { sha256 } from "../../credential/web/signing.js";
import { STATUS } from "../../credential/web/tickets.js";
import { compare, concat, equal, hex, uint } from "../../credential/web/wire.js";

export const MAX_AGE_SECONDS = 30; // of a full or compact code
export const MAX_AHEAD_SECONDS = 10; // of a phone's clock before the gate's, and of a bundle's
export const CHALLENGE_SECONDS = 60;
const UNLISTED_GRACE_SECONDS = 60; // between issuing a credential and its ticket's row in a bundle

// 6.3 Is it authentic? Full codes and answers.

/** The key id names an issuing key, and the list that says so has not expired. */
function keyKnown(scan) {
  if (issuerOf(scan) === undefined) return "unknown_key";
  return timeOf(scan) >= scan.keyList.expires ? "trust_expired" : null;
}

function issuerSigned(scan) {
  return isSignedByIssuer(scan.code.credential, issuerOf(scan).publicKey) ? null : "forged";
}

/** The issuing key's word at the time of issue holds, for that event. */
function keyValid(scan) {
  const { issuedAt, eventTag } = scan.code.credential.body;
  const issuer = issuerOf(scan);
  return maySignAt(issuer, issuedAt) && covers(issuer, eventTag) ? null : "key_not_valid";
}

function holderSigned(scan) {
  return isSignedByHolder(scan.code) ? null : "forged";
}

/** Another event of the platform is told from another platform by the tags the key list names. */
function rightEvent(scan) {
  const { eventTag } = scan.code.credential.body;
  if (equal(eventTag, scan.bundle.eventTag)) return null;
  const isKnown = scan.keyList.entries.some((entry) => entry.eventTag !== null && equal(entry.eventTag, eventTag));
  return isKnown ? "wrong_event" : "wrong_platform";
}

// 6.4 Is it authentic? Compact codes.

function rightIndex(scan) {
  return scan.code.eventIndex === scan.bundle.eventIndex ? null : "wrong_event";
}

function listedWithKey(scan) {
  const row = rowOf(scan);
  return row === null || row.holderKey === null ? "show_full" : null;
}

/** Equal to the newest serial known. A higher one has a holder key the bundle does not know yet. */
function compactSerialCurrent(scan) {
  const listed = rowOf(scan).serial;
  if (scan.code.serial < Math.max(listed, seenSerial(scan))) return "superseded";
  return scan.code.serial > listed ? "show_full" : null;
}

function compactHolderSigned(scan) {
  return isCompactSignedByHolder(scan.code, scan.bundle.eventTag, rowOf(scan).holderKey) ? null : "forged";
}

// 6.5 May its holder enter, here and now?

/** A gate whose clock is behind its own bundle can't judge freshness; it can still ask for an answer. */
function clockAboveFloor(scan) {
  return scan.now + MAX_AHEAD_SECONDS < scan.bundle.issuedAt ? "gate_clock" : null;
}

function inWindow(scan) {
  const { notBefore, notAfter } = scan.code.credential.body;
  return within(timeOf(scan), notBefore, notAfter);
}

/** A compact code has no window of its own: its class has one in the bundle. */
function inClassWindow(scan) {
  const { opens, closes } = classOf(scan);
  return within(scan.now, opens, closes);
}

function fresh(scan) {
  if (scan.now - scan.code.timestamp > MAX_AGE_SECONDS) return "stale";
  return scan.code.timestamp - scan.now > MAX_AHEAD_SECONDS ? "early" : null;
}

/** It answers the very challenge this gate has open, within 60 s by the gate's own timer. */
function answersChallenge(scan) {
  if (!meetsChallenge(scan.code, scan.gate)) return "wrong_challenge";
  return scan.gate.challenge.ageSeconds > CHALLENGE_SECONDS ? "challenge_expired" : null;
}

/** The platform's word on the ticket, or none because it was sold after the bundle was made. */
function statusAllows(scan) {
  const row = rowOf(scan);
  if (row !== null) return REFUSED_STATUS[row.status] ?? null;
  if (!scan.bundle.isOfLaterBatch(tokenOf(scan.code))) return "unknown_ticket";
  // Sold after the bundle was made. One issued well before should have been in it.
  const { issuedAt } = scan.code.credential.body;
  return issuedAt + UNLISTED_GRACE_SECONDS < scan.bundle.rowsThrough ? "unknown_ticket" : null;
}

/** Not below the newest serial known; a higher one is newer than the bundle, and good. */
function serialCurrent(scan) {
  const newest = Math.max(rowOf(scan)?.serial ?? 0, seenSerial(scan));
  return scan.code.credential.body.serial < newest ? "superseded" : null;
}

function notUsed(scan) {
  return scan.memory.admission(scan.bundle.eventTag, tokenOf(scan.code)) === null ? null : "already_used";
}

function gateEnrolled(scan) {
  return scan.bundle.gate(scan.gate.number) === undefined ? "not_enrolled" : null;
}

/** Connected gates, and the only gate of an event, know of every admission; others follow the event's policy. */
function policyAllows(scan) {
  const { bundle, gate } = scan;
  if (gate.connected || bundle.gates.length === 1 || bundle.offlinePolicy === POLICY.local) return null;
  if (bundle.offlinePolicy === POLICY.refuse) return "cut_off";
  return ownerGate(bundle, tokenOf(scan.code)).number === gate.number ? null : "other_gate";
}

const SIGNED = [keyKnown, issuerSigned, keyValid, holderSigned, rightEvent];

/** By the kind of code. Only once all of these passed is anything the code says shown or remembered. */
export const AUTHENTIC = Object.freeze({
  full: SIGNED,
  answer: SIGNED,
  compact: [rightIndex, listedWithKey, compactSerialCurrent, compactHolderSigned],
});

/** By the kind of code. */
export const ENTITLED = Object.freeze({
  full: [clockAboveFloor, inWindow, fresh, statusAllows, serialCurrent, notUsed, gateEnrolled, policyAllows],
  answer: [inWindow, answersChallenge, statusAllows, serialCurrent, notUsed, gateEnrolled, policyAllows],
  compact: [clockAboveFloor, inClassWindow, fresh, statusAllows, notUsed, gateEnrolled, policyAllows],
});

// What the steps share.

/** It is an answer to what stands on this gate's screen, in time or not. */
export function meetsChallenge(code, gate) {
  if (code.kind !== "answer" || gate.challenge === null) return false;
  return code.gateNumber === gate.number && code.challenge === gate.challenge.digits;
}

/** The gate that owns a ticket: the enrolled gate of the highest rendezvous hash (SPEC 6.6). */
export function ownerGate(bundle, tokenId) {
  const ticket = concat(bundle.eventTag, uint(tokenId, 8, "token id"));
  const hashed = bundle.gates.map((gate) => ({ gate, hash: sha256(concat(uint(gate.number, 2, "gate"), ticket)) }));
  return hashed.reduce((best, one) => (compare(one.hash, best.hash) > 0 ? one : best)).gate;
}

/** The gate's clock, but never below the bundle's floor: only answers get this far on a clock that is behind. */
export const timeOf = (scan) => Math.max(scan.now, scan.bundle.issuedAt);

export const tokenOf = (code) => (code.kind === "compact" ? code.tokenId : code.credential.body.tokenId);

export const serialOf = (code) => (code.kind === "compact" ? code.serial : code.credential.body.serial);

/** The ticket's row in the bundle; null if it has none. */
export function rowOf(scan) {
  const rank = scan.bundle.rank(tokenOf(scan.code));
  return rank === null ? null : scan.bundle.tickets.row(rank);
}

/** The class of a listed ticket; null if it is not listed. */
export function classOf(scan) {
  const token = tokenOf(scan.code);
  return scan.bundle.rank(token) === null ? null : scan.bundle.classOf(token);
}

const REFUSED_STATUS = Object.freeze({
  [STATUS.redeemed]: "already_used",
  [STATUS.revoked]: "revoked",
  [STATUS.suspended]: "suspended",
});

function issuerOf(scan) {
  return findKey(scan.keyList, scan.code.credential.body.keyId, ROLE.issuing);
}

/** The highest serial seen here, but for those a compromised key vouched for. */
function seenSerial(scan) {
  const seen = scan.memory.seenSerials(scan.bundle.eventTag, tokenOf(scan.code));
  const voided = new Set(
    scan.keyList.entries.filter((entry) => entry.reason === REASON.compromised).map((entry) => hex(entry.keyId)),
  );
  return Math.max(0, ...[...seen].filter(([keyId]) => !voided.has(keyId)).map(([, serial]) => serial));
}

function within(now, opens, closes) {
  if (now < opens) return "not_yet_valid";
  return now >= closes ? "expired" : null;
}
