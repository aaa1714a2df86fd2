/** What a ticket is fit for on this device, decided from what is stored. */

const SHOWN_AFTER_SECONDS = 12 * 3600; // a ticket stays on the first page so long after its event

/**
 * "shown": its code can be shown · "getting_ready": no token yet, or not bound yet · "elsewhere": bound to another device
 * · "lost": its key is gone · "withdrawn" · "past". `hasKey`: the key of its credential is here.
 */
export function ticketState(ticket, hasKey, now) {
  if (ticket.state !== "valid") return "withdrawn";
  if (isPast(ticket, now)) return "past";
  if (ticket.credential !== undefined) return hasKey ? "shown" : "lost";
  return ticket.problem === "bound_elsewhere" ? "elsewhere" : "getting_ready";
}

/** The event moved to a time that its credential does not hold for, from doors to end. */
export function needsRenewal(ticket) {
  const { notBefore, expires, event } = ticket;
  if (ticket.credential === undefined || event.doors === null || event.ends === null) return false;
  return event.doors < notBefore || expires < event.ends;
}

/** By event, then as bought. */
export function inOrder(tickets) {
  return [...tickets].sort(
    (left, right) => (left.event.doors ?? 0) - (right.event.doors ?? 0)
      || left.event.name.localeCompare(right.event.name)
      || left.orderId.localeCompare(right.orderId)
      || Number(BigInt(left.tokenId ?? 0) - BigInt(right.tokenId ?? 0))
      || left.ticketId.localeCompare(right.ticketId),
  );
}

function isPast(ticket, now) {
  const over = Math.max(ticket.expires ?? 0, ticket.event.ends ?? 0);
  return over > 0 && now > over + SHOWN_AFTER_SECONDS;
}
