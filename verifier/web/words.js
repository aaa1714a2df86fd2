/** What the staff see for each verdict (SPEC 6.2): the table of `verifier/words.py`, as `verdicts.json`, in words. */

import { _, clockTime, duration } from "/static/js/messages.js";
import { seatWords } from "/static/js/places.js";

let table = {};
let seatLabels = {};

/** Reads the table that `make messages` made of `verifier/words.py`. */
export async function loadVerdicts(url) {
  table = await (await fetch(url)).json();
}

/** Seats' labels by number, as the server's public page of the event has them: for people's eyes, no check needs them. */
export function nameSeats(labels) {
  seatLabels = labels;
}

/** `{word, colour, icon, sentence, advice}`; `colour` is "green", "amber" or "red", `icon` a name of `icons.js`. */
export function wordsFor(verdict, now) {
  const { word, colour, icon, sentence, advice } = table[verdict.code];
  return {
    word: _(word),
    colour,
    icon,
    sentence: sentenceWithMoment(verdict, now) ?? _(sentence),
    advice: verdict.code === "other_gate" ? _("Send them to gate {gate}.", { gate: verdict.gate }) : _(advice),
  };
}

/** Class, zone and seat, as far as the ticket has them. */
export function placeOf(ticket) {
  const className = ticket.className || _("Class {number}", { number: ticket.classNumber });
  const label = seatLabels[ticket.seat] ?? String(ticket.seat);
  return [className, ticket.zoneName, ticket.seat ? seatWords(label) : ""].filter(Boolean);
}

function sentenceWithMoment({ code, moment, gate }, now) {
  if (moment === null) return null;
  if (code === "already_used") {
    return _("This ticket was used at gate {gate}, {ago} ago.", { gate, ago: duration(now - moment) });
  }
  if (code === "not_yet_valid") return _("This ticket is valid from {time}.", { time: clockTime(moment, now) });
  if (code === "expired") return _("This ticket was valid until {time}.", { time: clockTime(moment, now) });
  return null;
}
