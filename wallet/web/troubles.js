/** What can be wrong with this browser, this connection or a ticket, and what to do about it. */

import { _, duration } from "/static/js/messages.js";

/** The sentence for a problem's code; the server's own sentence where we have none. */
export function troubleSentence(code, served = null) {
  return SENTENCES[code]?.() ?? served ?? _("Something went wrong ({code}). Your tickets are safe; try again.", { code });
}

const SENTENCES = {
  insecure: () =>
    _("This page was opened by plain http, where browsers keep no keys. Open it by https; your tickets are waiting."),
  browser_old: () =>
    _("This browser is too old to hold a ticket's key. Update it, or open your order on another phone. The ticket stays yours."),
  storage_refused: () =>
    _("This browser stores nothing here. Leave private mode, or use another browser; then open your order again."),
  storage_lost: () =>
    _("The browser has cleared this wallet. Nothing is lost: open your order again, and move the tickets to this phone."),
  unreachable: () => _("The server can't be reached. Tickets that are ready work without it."),
  bound_elsewhere: () =>
    _("This ticket's code is on another device, or this browser lost its key. You can move it here; the old code then stops working."),
  key_lost: () =>
    _("This browser has lost the key of this ticket. Make a new code here while you are online; the old one then stops working."),
  ticket_not_ready: () => _("Your ticket is being made ready. This takes a moment."),
  order_secret_wrong: () => _("This order is no longer open to this browser. Open it again from where you bought it."),
  ticket_not_valid: () => _("This ticket is no longer valid: it was refunded or withdrawn. Your order says more."),
  event_over: () => _("The event is over."),
  receipt_unreadable: () => _("This is no receipt. Copy the whole line that begins with truestub-receipt."),
  receipt_other_server: () => _("This receipt is for another server. Open the wallet page of that server."),
  digits_wrong: () => _("Type all nine digits from the gate's screen."),
};

/** Null, or what to do about a clock that is `offset` seconds ahead of the server's. */
export function clockSentence(offset) {
  if (offset === null || Math.abs(offset) <= 10) return null;
  const by = duration(Math.abs(offset));
  return offset > 0
    ? _("This phone's clock is {by} ahead. Set it to automatic, or the gate may ask you for nine digits.", { by })
    : _("This phone's clock is {by} behind. Set it to automatic, or the gate may ask you for nine digits.", { by });
}
