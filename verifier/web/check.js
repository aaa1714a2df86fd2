/**
 * The decision of a gate: a pure function of what was scanned and what the gate knows (SPEC 6); the same as
 * `verifier/check.py`, step by step and code by code.
 */

import { decodeCode } from "../../credential/web/codes.js";
import { fromDigits } from "../../credential/web/digits.js";
import { Malformed } from "../../credential/web/results.js";
import { hex } from "../../credential/web/wire.js";
import { AUTHENTIC, ENTITLED, classOf, meetsChallenge, ownerGate, rowOf, serialOf, tokenOf } from "./steps.js";

const NO_KEY_ID = new Uint8Array(4); // of a compact code: no issuing key vouches for it

/**
 * Whether the holder of this text may enter. Never throws, whatever the text.
 *
 * `text` is one scan without its line ending; `now` the gate's clock in Unix seconds; `memory` answers
 * `admission(eventTag, tokenId)` (an admission or null) and `seenSerials(eventTag, tokenId)` (a Map from hex key id to
 * serial); `gate` is `{number, connected, challenge: null | {digits, ageSeconds}}`.
 *
 * The caller makes `verdict.admission` durable before it lets anyone in, and remembers `verdict.seen` and
 * `verdict.metChallenge`. Until a code is authentic, nothing it says is in the verdict.
 */
export function check(text, now, keyList, bundle, memory, gate) {
  const payload = fromDigits(text);
  if (payload instanceof Malformed) return refusal("malformed");
  const code = decodeCode(payload);
  if (code instanceof Malformed) {
    return refusal(code.reason === "unknown_version" ? "unsupported_version" : "malformed");
  }
  const scan = Object.freeze({ code, payload, now, keyList, bundle, memory, gate });
  const doubt = firstRefusal(AUTHENTIC[code.kind], scan);
  return doubt === null ? verdictOf(scan, firstRefusal(ENTITLED[code.kind], scan)) : refusal(doubt);
}

/** The token that a text claims to be of, unverified: which row of the log to look at. Null if it is not a code. */
export function claimedToken(text) {
  const payload = fromDigits(text);
  const code = payload instanceof Malformed ? payload : decodeCode(payload);
  return code instanceof Malformed ? null : tokenOf(code);
}

/** A verdict that says nothing of a ticket. */
export function refusal(code) {
  return { code, ticket: null, moment: null, gate: null, admission: null, seen: null, metChallenge: false };
}

function firstRefusal(path, scan) {
  for (const step of path) {
    const code = step(scan);
    if (code !== null) return code;
  }
  return null;
}

function verdictOf(scan, refused) {
  const code = refused ?? "admit";
  return {
    code,
    ticket: shownTicket(scan),
    ...circumstance(scan, code),
    admission: refused === null ? admissionOf(scan) : null,
    seen: newlySeen(scan),
    metChallenge: meetsChallenge(scan.code, scan.gate),
  };
}

/** A credential speaks for itself; of a compact code's ticket the bundle knows class, zone and seat. */
function shownTicket(scan) {
  const isCompact = scan.code.kind === "compact";
  const row = rowOf(scan);
  const place = isCompact ? { ...row, classNumber: classOf(scan).number } : scan.code.credential.body;
  return {
    tokenId: tokenOf(scan.code),
    serial: serialOf(scan.code),
    classNumber: place.classNumber,
    className: scan.bundle.ticketClass(place.classNumber)?.name ?? "",
    zoneName: scan.bundle.zone(place.zone)?.name ?? "",
    seat: place.seat, // 0: unseated
  };
}

/** When, and at which gate, where the code calls for it. */
function circumstance(scan, code) {
  const { bundle, memory } = scan;
  const token = tokenOf(scan.code);
  if (code === "already_used") {
    const used = memory.admission(bundle.eventTag, token);
    return used === null ? NOWHERE : { moment: used.at, gate: gateName(bundle, used.gateNumber) };
  }
  if (code === "other_gate") return { moment: null, gate: ownerGate(bundle, token).name };
  if (code === "not_yet_valid") return { moment: windowOf(scan).opens, gate: null };
  if (code === "expired") return { moment: windowOf(scan).closes, gate: null };
  return NOWHERE;
}

const NOWHERE = Object.freeze({ moment: null, gate: null });

function windowOf(scan) {
  if (scan.code.kind === "compact") return classOf(scan);
  const { notBefore, notAfter } = scan.code.credential.body;
  return { opens: notBefore, closes: notAfter };
}

const gateName = (bundle, number) => bundle.gate(number)?.name ?? String(number);

function admissionOf(scan) {
  return {
    eventTag: scan.bundle.eventTag,
    tokenId: tokenOf(scan.code),
    serial: serialOf(scan.code),
    keyId: issuingKeyId(scan),
    kind: scan.code.kind,
    at: scan.now,
    gateNumber: scan.gate.number,
    bundleVersion: scan.bundle.version,
    evidence: scan.payload, // the code as shown: it carries the holder's signature
  };
}

/** A credential newer than the bundle's row and than what this gate has seen of the same key. */
function newlySeen(scan) {
  if (scan.code.kind === "compact") return null;
  const [token, serial, keyId] = [tokenOf(scan.code), serialOf(scan.code), issuingKeyId(scan)];
  const known = scan.memory.seenSerials(scan.bundle.eventTag, token).get(hex(keyId)) ?? 0;
  if (serial <= Math.max(rowOf(scan)?.serial ?? 0, known)) return null;
  return { eventTag: scan.bundle.eventTag, tokenId: token, serial, keyId, at: scan.now, evidence: scan.payload };
}

function issuingKeyId(scan) {
  return scan.code.kind === "compact" ? NO_KEY_ID : scan.code.credential.body.keyId;
}
