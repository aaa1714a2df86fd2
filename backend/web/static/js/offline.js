/*
 * The body of a service worker. The server puts `APP` before it: {name, version, pages: {language: address}, entry,
 * files: [address]}. It keeps an app's files, whole or not at all, and answers for them without the network.
 *
 * A new version waits until every page of the old one is closed or asks for it ("take over"): never in the midst of work.
 */

const CACHE = `${APP.name} ${APP.version}`;
const KNOWN = new Set([...Object.values(APP.pages), ...APP.files]);

addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(CACHE).then((cache) =>
      cache.addAll([...KNOWN].map((address) => new Request(address, { cache: "reload" })))),
  );
});

addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys().then((names) =>
      Promise.all(names.filter((name) => name.startsWith(`${APP.name} `) && name !== CACHE).map((name) => caches.delete(name))))
      .then(() => clients.claim()),
  );
});

addEventListener("message", ({ data }) => {
  if (data === "take over") skipWaiting();
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  const address = pathname === APP.entry ? pageFor(navigator.languages) : pathname;
  if (KNOWN.has(address)) event.respondWith(kept(address, request));
});

async function kept(address, request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(address)) ?? fetch(request);
}

function pageFor(wanted) {
  const language = wanted.map((tag) => tag.slice(0, 2)).find((one) => one in APP.pages);
  return APP.pages[language ?? "en"];
}
