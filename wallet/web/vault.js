/**
 * What this wallet keeps, in IndexedDB: orders with their secrets, tickets with their credentials, device keys.
 *
 * A device key is a WebCrypto key that scripts can use and nobody can read or copy. It is stored before the server hears
 * of it. The browser may clear all of this on its own; then the order page leads back to the tickets, with a new key.
 */

import { openDatabase, read, readAll, transact, whenAll } from "/static/js/store.js";

const DATABASE = "truestub-wallet";
const VERSION = 1;

export class Vault {
  /** Opens the database; rejects if the browser keeps nothing. `onLost` is called if it is taken away later. */
  static async open(onLost) {
    return new Vault(await openDatabase(DATABASE, VERSION, makeStores, onLost));
  }

  constructor(db) {
    this.db = db;
  }

  orders() {
    return readAll(this.db, "orders");
  }

  tickets() {
    return readAll(this.db, "tickets");
  }

  /** The key for a ticket: `{name, privateKey, publicKey}`; `name` is "current" or "next". */
  key(ticketId, name) {
    return read(this.db, "keys", `${ticketId}/${name}`);
  }

  /** Remembers an order; what is known of it already stays. */
  putOrder(order) {
    return transact(this.db, ["orders"], "readwrite", ({ orders }, _done, guarded) => {
      whenAll([orders.get(order.orderId)], guarded((known = {}) => orders.put({ ...known, ...order })));
    });
  }

  /** Remembers what changed of a ticket; the rest stays. */
  putTicket(ticket) {
    return transact(this.db, ["tickets"], "readwrite", ({ tickets }, _done, guarded) => {
      whenAll([tickets.get(ticket.ticketId)], guarded((known = {}) => tickets.put({ ...known, ...ticket })));
    });
  }

  putKey(ticketId, name, key) {
    return transact(this.db, ["keys"], "readwrite", ({ keys }) => {
      keys.put(key, `${ticketId}/${name}`);
    });
  }

  /** The new key is bound: it becomes the current one, together with the credential made for it. */
  bind(ticket, key) {
    return transact(this.db, ["tickets", "keys"], "readwrite", ({ tickets, keys }, _done, guarded) => {
      whenAll([tickets.get(ticket.ticketId)], guarded((known = {}) => {
        tickets.put({ ...known, ...ticket });
        keys.put(key, `${ticket.ticketId}/current`);
        keys.delete(`${ticket.ticketId}/next`);
      }));
    });
  }
}

function makeStores(db) {
  db.createObjectStore("orders", { keyPath: "orderId" });
  db.createObjectStore("tickets", { keyPath: "ticketId" });
  db.createObjectStore("keys");
}
