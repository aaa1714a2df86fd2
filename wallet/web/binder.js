/**
 * From an order to tickets that work without a network: reads the order, binds a device key to each ticket, stores what
 * comes back. Every step can be cut off and done again.
 */

import { possessionMessage } from "../../credential/web/binding.js";
import { decodeCredential } from "../../credential/web/body.js";
import { equal, fromHex, hex } from "../../credential/web/wire.js";
import { ApiProblem, bindDevice, readEvent, readOrder } from "./api.js";
import { makeDeviceKey, signerFor } from "./device_key.js";
import { needsRenewal } from "./ticket_states.js";

const PERMISSION_SECONDS = 24 * 3600; // how long a binding request may be used; longer than clocks are usually wrong
const MARGIN_SECONDS = 600; // a begun request that ends sooner is made anew
const FIRST_NUMBER = 1;
const TRIES = 3; // with the numbers that the server names
const LOCK = "truestub-wallet-bind"; // one tab binds at a time

const now = () => Math.floor(Date.now() / 1000);

/** Reads the order and its event, and stores what they say of its tickets. Rejects with ApiProblem. */
export async function refreshOrder(vault, order) {
  const told = await readOrder(order);
  const event = await readEvent(told.event);
  const classes = new Map(event.classes.map((one) => [one.code, one.name]));
  await vault.putOrder({ orderId: order.orderId, state: told.state, event: told.event, notice: told.notice ?? null });
  for (const ticket of told.tickets) {
    await vault.putTicket({
      ticketId: ticket.ticket_id,
      orderId: order.orderId,
      event: eventFields(event),
      className: classes.get(ticket.class) ?? ticket.class,
      seat: ticket.seat ?? null,
      state: ticket.state ?? "valid",
      stage: ticket.stage,
      tokenId: ticket.token_id === null || ticket.token_id === undefined ? null : String(ticket.token_id),
    });
  }
}

/**
 * Binds a new or begun key to `ticket` and stores the credential. `mayTakeOver`: the holder agreed that a code on another
 * device, or one whose key was lost, stops working. Rejects with ApiProblem; `bound_elsewhere` asks for that agreement.
 */
export function bindTicket(vault, order, ticket, mayTakeOver) {
  return navigator.locks.request(LOCK, () => bindNow(vault, order, ticket, mayTakeOver));
}

async function bindNow(vault, order, ticket, mayTakeOver) {
  let key = await vault.key(ticket.ticketId, "next");
  if (key === undefined && needsRenewal(ticket)) key = await vault.key(ticket.ticketId, "current").then(askedIfKnown);
  if (key === undefined) key = asked({ ...(await makeDeviceKey()), number: FIRST_NUMBER, epoch: 0 });
  else if (key.expiry < now() + MARGIN_SECONDS) key = asked(key);
  for (let tries = 0; tries < TRIES; tries += 1) {
    await vault.putKey(ticket.ticketId, "next", key);
    try {
      const issued = await bindDevice(order, ticket.ticketId, await requestFor(ticket, key), key.requestKey);
      await vault.bind(credentialFields(ticket, key, issued), key);
      return;
    } catch (error) {
      key = corrected(key, error, mayTakeOver);
    }
  }
  throw new ApiProblem("server_error", null, {}, null);
}

/** The binding there is, once more: the server answers it with a credential for the event's new time. */
function askedIfKnown(key) {
  return key && asked(key);
}

/** A new request for the same device key. Repeated, it must be the same to the last bit: so it is kept with the key. */
function asked(key) {
  return { ...key, expiry: now() + PERMISSION_SECONDS, requestKey: crypto.randomUUID() };
}

/** The same key with what the server said is current; rethrows what can't be mended so. */
function corrected(key, error, mayTakeOver) {
  const { code, details = {} } = error;
  if (code === "wrong_epoch" && details.epoch !== key.epoch) return asked({ ...key, epoch: details.epoch });
  const mustMove = code === "wrong_binding_number" || code === "credential_withdrawn";
  if (!mustMove || details.next_number === key.number) throw error;
  if (!mayTakeOver) throw new ApiProblem("bound_elsewhere", null, {}, null);
  return asked({ ...key, number: details.next_number });
}

async function requestFor(ticket, key) {
  const { platformId, eventTag } = ticket.event;
  const { number, epoch, expiry, publicKey: deviceKey } = key;
  const binding = { eventTag, tokenId: BigInt(ticket.tokenId), epoch, number, deviceKey, expiry };
  const possession = await signerFor(key)(possessionMessage(platformId, binding));
  return { device_key: hex(deviceKey), number, epoch, expiry, possession_signature: hex(possession) };
}

/** What is kept of the answer; throws if the credential is not for this ticket and this key. */
function credentialFields(ticket, key, issued) {
  const credential = decodeCredential(fromHex(issued.credential));
  const { body } = credential;
  const isOurs =
    body !== undefined && body.tokenId === BigInt(ticket.tokenId) &&
    equal(body.eventTag, ticket.event.eventTag) && equal(body.holderKey, key.publicKey);
  if (!isOurs) throw new ApiProblem("server_error", null, {}, null);
  return {
    ticketId: ticket.ticketId,
    credential: credential.encoded,
    serial: body.serial,
    eventIndex: issued.event_index,
    notBefore: body.notBefore,
    expires: body.notAfter,
  };
}

function eventFields(event) {
  return {
    slug: event.slug,
    name: event.name,
    venue: event.venue ?? "",
    timeZone: event.time_zone ?? null,
    doors: momentOf(event.doors_at),
    starts: momentOf(event.starts_at),
    ends: momentOf(event.ends_at),
    platformId: fromHex(event.platform_id),
    eventTag: fromHex(event.tag),
  };
}

/** Unix seconds of an RFC 3339 time; null if there is none. */
function momentOf(text) {
  const moment = Date.parse(text ?? "");
  return Number.isNaN(moment) ? null : moment / 1000;
}
