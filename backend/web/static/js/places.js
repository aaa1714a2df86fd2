/** Seats as people know them. */

import { _ } from "./messages.js";

/** A seat's label of the event's plan, `C-12`: "Row C, seat 12". A label of another form stands as it is. */
export function seatWords(label) {
  const at = label.lastIndexOf("-");
  if (at <= 0 || at === label.length - 1) return _("Seat {n}", { n: label });
  return _("Row {row}, seat {seat}", { row: label.slice(0, at), seat: label.slice(at + 1) });
}
