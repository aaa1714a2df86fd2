/** How far the staff can rely on this gate right now, in words: shown at all times, never in the way. */

import { POLICY } from "../../credential/web/bundle.js";
import { _, duration, ngettext } from "/static/js/messages.js";

const CONFIRMED_SECONDS = 120; // the server was heard so recently: the data is as good as its own
const OLD_SECONDS = 15 * 60; // on an event's day
const CLOCK_SECONDS = 10; // from here on live codes begin to look old or early (SPEC 6.5)
const EXPIRES_SOON_SECONDS = 24 * 3600;

/**
 * `{level, age, risks}`: `level` "good", "careful" or "bad"; `age` how old the data is, in words; `risks` sentences, the
 * worst first.
 *
 * `view`: `now`, `bundle`, `keyList`, `gateNumber`, `confirmedAt` (when the server last said that this is its newest
 * data; 0 never), `waiting` (records not handed over), `clockOffset` (seconds by which the device's clock is ahead of the
 * server's, or null), `isKept` (the browser promised not to clear the page's data), `problem` (of the last sync, or null).
 */
export function riskOf(view) {
  const { now, bundle, keyList } = view;
  if (bundle === null || keyList === null) {
    const sentence = _("There is no valid data for the event: this gate can admit nobody. Sync it.");
    return { level: "bad", age: _("No data"), risks: [sentence] };
  }
  const age = Math.max(0, now - Math.max(bundle.rowsThrough, view.confirmedAt));
  const found = [
    clockRisk(view),
    keysRisk(keyList, now),
    gatesRisk(bundle, view.gateNumber),
    dataRisk(age),
    waitingRisk(view),
    storageRisk(view),
  ].filter((one) => one !== null);
  found.sort((left, right) => WEIGHT[left.level] - WEIGHT[right.level]);
  return {
    level: found[0] === undefined || found[0].level === "note" ? "good" : found[0].level,
    age: age <= CONFIRMED_SECONDS ? _("Data up to date") : _("Data {age} old", { age: duration(age) }),
    risks: found.map(({ sentence }) => sentence),
  };
}

const WEIGHT = { bad: 0, careful: 1, note: 2 };
const bad = (sentence) => ({ level: "bad", sentence });
const careful = (sentence) => ({ level: "careful", sentence });
const note = (sentence) => ({ level: "note", sentence });

function clockRisk({ clockOffset, now, bundle }) {
  if (now + CLOCK_SECONDS < bundle.issuedAt) {
    return bad(_("This gate's clock is behind its data: only answers to a challenge are taken. Set the clock."));
  }
  if (clockOffset === null || Math.abs(clockOffset) <= CLOCK_SECONDS) return null;
  const by = duration(Math.abs(clockOffset));
  return bad(
    clockOffset > 0
      ? _("This device's clock is {by} ahead: good codes look old. Set it, or use a challenge.", { by })
      : _("This device's clock is {by} behind: good codes look early. Set it, or use a challenge.", { by }),
  );
}

function keysRisk(keyList, now) {
  const left = keyList.expires - now;
  if (left <= 0) {
    return bad(_("The list of trusted keys has expired: only compact codes can be checked. Sync this gate."));
  }
  if (left >= EXPIRES_SOON_SECONDS) return null;
  return careful(_("The list of trusted keys expires in {time}. Sync this gate before.", { time: duration(left) }));
}

function gatesRisk(bundle, gateNumber) {
  if (bundle.gate(gateNumber) === undefined) {
    return bad(_("This gate is not enrolled for the event: it can admit nobody. Enrol it, then sync it."));
  }
  if (bundle.gates.length === 1) return null;
  if (bundle.offlinePolicy === POLICY.refuse) {
    return bad(_("This gate works alone, and the event's policy lets such a gate admit nobody."));
  }
  if (bundle.offlinePolicy === POLICY.home) {
    return careful(_("This gate works alone: it admits its own share of the tickets and sends on the others."));
  }
  return careful(_("This gate works alone: a ticket used at another gate is not known here."));
}

function dataRisk(age) {
  if (age <= CONFIRMED_SECONDS) return null;
  const sentence = _(
    "The data is {age} old: a ticket moved, refunded or revoked since then may enter with its old code.",
    { age: duration(age) },
  );
  return age > OLD_SECONDS ? bad(sentence) : careful(sentence);
}

function waitingRisk({ waiting, problem }) {
  if (waiting === 0 || problem === null) return null; // it is being handed over
  return careful(
    ngettext(
      "{n} admission is known to this gate alone: a copy of that ticket could enter at another one.",
      "{n} admissions are known to this gate alone: copies of those tickets could enter at another one.",
      waiting,
    ),
  );
}

function storageRisk({ isKept }) {
  return isKept ? null : note(_("The browser may clear this page's data by itself: keep it open, and hand over often."));
}
