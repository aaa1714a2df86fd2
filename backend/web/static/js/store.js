/**
 * IndexedDB in promises. A transaction resolves when it is complete, with `durability: "strict"`: the browser says that
 * what was written is on the disk. Rejects with the browser's error (`QuotaExceededError`, `ConstraintError`, …).
 */

/** Opens a database; `upgrade(db)` makes its object stores. `onLost` is called if the browser takes it away. */
export function openDatabase(name, version, upgrade, onLost) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(name, version);
    opening.onupgradeneeded = () => upgrade(opening.result);
    opening.onerror = () => reject(opening.error);
    opening.onblocked = () => reject(new DOMException("another tab holds an older version", "VersionError"));
    opening.onsuccess = () => {
      const db = opening.result;
      db.onclose = onLost;
      db.onversionchange = () => db.close();
      resolve(db);
    };
  });
}

/**
 * Runs `work(stores, done)` inside one transaction over the named stores; resolves, once complete, with what was given to
 * `done`. `work` must go on only from request callbacks (`get`), never after an `await`.
 */
export function transact(db, names, mode, work) {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(names, mode, { durability: "strict" });
    const stores = Object.fromEntries(names.map((name) => [name, transaction.objectStore(name)]));
    let result;
    let fault = null;
    const guarded = (step) => (...values) => {
      try {
        step(...values);
      } catch (error) {
        fault = error;
        transaction.abort();
      }
    };
    transaction.oncomplete = () => resolve(result);
    transaction.onabort = () => reject(fault ?? transaction.error);
    guarded(work)(stores, (value) => { result = value; }, guarded);
  });
}

/** Calls `next(...values)` with the results of the requests, in their order. */
export function whenAll(requests, next) {
  let missing = requests.length;
  for (const request of requests) {
    request.onsuccess = () => {
      missing -= 1;
      if (missing === 0) next(...requests.map((one) => one.result));
    };
  }
}

/** One value. */
export function read(db, store, key) {
  return transact(db, [store], "readonly", (stores, done) => {
    whenAll([stores[store].get(key)], done);
  });
}

/** All values, in the order of their keys. */
export function readAll(db, store) {
  return transact(db, [store], "readonly", (stores, done) => {
    whenAll([stores[store].getAll()], done);
  });
}
