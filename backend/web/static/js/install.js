/** Keeps this page for when there is no network. */

const READY_MS = 10_000;

/**
 * Registers the service worker at `worker` for `scope`. True once the page is kept; false where browser or connection do
 * not allow it. A newer version of the page takes over now, while nothing has begun yet.
 */
export async function keepOffline(worker, scope) {
  if (navigator.serviceWorker === undefined) return false;
  try {
    const registration = await navigator.serviceWorker.register(worker, { scope, updateViaCache: "none" });
    if (registration.waiting !== null && navigator.serviceWorker.controller !== null) takeOver(registration.waiting);
    const late = new Promise((_resolve, reject) => { setTimeout(reject, READY_MS); });
    await Promise.race([navigator.serviceWorker.ready, late]);
    return true;
  } catch {
    return (await navigator.serviceWorker.getRegistration(scope))?.active != null; // kept before; the server is away
  }
}

function takeOver(waiting) {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  waiting.postMessage("take over");
}
