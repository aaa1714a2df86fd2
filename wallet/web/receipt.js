/** A receipt: one line that names an order, where it was made, and its secret (SPEC 4.6). */

const MARK = "truestub-receipt-1";
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SECRET = /^[\x21-\x7e]{16,200}$/;

/** `{order}` or `{problem}`. `origin` is this page's: a browser asks its own server only. */
export function parseReceipt(text, origin) {
  const [mark, server, orderId, secret, ...rest] = text.trim().split(/\s+/);
  const isSound = mark === MARK && rest.length === 0 && UUID.test(orderId ?? "") && SECRET.test(secret ?? "");
  if (!isSound || !URL.canParse(server)) return { problem: "receipt_unreadable" };
  if (new URL(server).origin !== origin) return { problem: "receipt_other_server" };
  return { order: { orderId, secret } };
}
