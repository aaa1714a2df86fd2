/** How far the staff can rely on this gate right now, in words: shown at all times, never in the way. */

import { POLICY } from "../../credential/web/bundle.js";
import { _, clockTime, duration, ngettext } from "/static/js/messages.js";

const CONFIRMED_SECONDS = 120; // the server was heard so recently: the data is as good as its own
const OLD_SECONDS = 3600; // the data is old enough to say so loudly
const CLOCK_SECONDS = 10; // from here on live codes begin to look old or early (SPEC 6.5)
const KEYS_SOON_SECONDS = 24 * 3600;

/**
 * `{level, age, risks}`: `level` "good", "careful" or "bad"; `age` how old the data is, in words; `risks` sentences, the
 * worst first.
 *
 * `view`: `now`, `bundle`, `keyList`, `confirmedAt` (when the server last said that this is its newest data; 0 never),
 * `waiting` (records not handed over), `clockOffset` (seconds by which the device's clock is ahead of the server's, or
 * null), `isKept` (the browser promised not to clear the page's data), `problem` (of the last sync, or null).
 */
export function riskOf(view) {
  const { now, bundle, keyList } = view;
  if (bundle === null) return { level: "bad", age: _("No data"), risks: [_("Sync this gate before doors open.")] };
  const age = Math.max(0, now - Math.max(bundle.rowsThrough, view.confirmedAt));
  const isFresh = age <= CONFIRMED_SECONDS;
  const found = [
    clockRisk(view),
    now >= keyList.expires && bad(_("This gate's list of trusted keys has expired.")),
    bundle.gate(view.gateNumber) === undefined && bad(_("This gate is not enrolled for this event yet. Sync it.")),
    policyRisk(bundle),
    !isFresh && (age > OLD_SECONDS ? bad : careful)(staleRisk(bundle)),
    waitingRisk(view),
    isFresh ? null : keysRisk(keyList, now),
    !view.isKept && note(_("The browser may clear this page's data by itself: keep the page open and hand over often.")),
  ].filter(Boolean);
  const levels = new Set(found.map(({ level }) => level));
  return {
    level: ["bad", "careful"].find((one) => levels.has(one)) ?? "good",
    age: isFresh ? _("Data up to date") : _("Data {age} old", { age: duration(age) }),
    risks: found.sort((left, right) => WEIGHT[left.level] - WEIGHT[right.level]).map(({ sentence }) => sentence),
  };
}

const WEIGHT = { bad: 0, careful: 1, note: 2 };
const bad = (sentence) => ({ level: "bad", sentence });
const careful = (sentence) => ({ level: "careful", sentence });
const note = (sentence) => ({ level: "note", sentence });

function clockRisk({ clockOffset, now, bundle }) {
  if (now + CLOCK_SECONDS < bundle.issuedAt) {
    return bad(_("This device's clock is behind its own data. Set it; until then use a challenge for each ticket."));
  }
  if (clockOffset === null || Math.abs(clockOffset) <= CLOCK_SECONDS) return null;
  const by = duration(Math.abs(clockOffset));
  return bad(
    clockOffset > 0
      ? _("This device's clock is {by} ahead: good codes look old. Set it, or use a challenge.", { by })
      : _("This device's clock is {by} behind: good codes look early. Set it, or use a challenge.", { by }),
  );
}

function policyRisk(bundle) {
  if (bundle.gates.length <= 1) return null;
  if (bundle.offlinePolicy === POLICY.refuse) {
    return bad(_("This page can't ask the other gates, and the event's rule is to admit nobody then."));
  }
  if (bundle.offlinePolicy === POLICY.home) {
    return careful(_("This page can't ask the other gates: it admits only its own share of the tickets."));
  }
  return careful(
    _("This page can't ask the other gates: a ticket used there can pass here once more, and is found out later."),
  );
}

function staleRisk(bundle) {
  const time = clockTime(bundle.rowsThrough);
  return _("No word from the server: what was refunded or passed on since {time} can still pass here.", { time });
}

function waitingRisk({ waiting, problem }) {
  if (waiting === 0 || problem === null) return null;
  return note(
    ngettext(
      "{n} admission is only on this device. Don't clear the browser.",
      "{n} admissions are only on this device. Don't clear the browser.",
      waiting,
    ),
  );
}

function keysRisk(keyList, now) {
  if (keyList.expires - now > KEYS_SOON_SECONDS) return null;
  return careful(_("The list of trusted keys ends at {time}. Sync before that.", { time: clockTime(keyList.expires) }));
}
