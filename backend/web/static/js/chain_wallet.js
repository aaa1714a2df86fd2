/**
 * Pays an order with the wallet in the reader's browser (EIP-1193); the button is shown only where there is one.
 *
 * The wallet asks its owner, signs and sends; we see the payment on the chain, as from any other wallet (SPEC 9.10).
 */

const LOOK_MS = 1_000; // between two looks for a transaction that was sent
const MESSAGES = { 4001: "refused", 4902: "strange", "-32002": "asks" }; // EIP-1193, EIP-3085, MetaMask

class Reverted extends Error {}

let part; // of the page, put anew whenever something changed: what is under way is kept here
let word = ""; // what is said about it
let busy = false;

/** Offers the wallet for the payment that `where` shows, if it shows one; to be called whenever it was put anew. */
export function offerWallet(where) {
  part = where;
  const place = part.querySelector("#browser-wallet");
  if (place === null) return;
  if (window.ethereum === undefined) {
    addEventListener("ethereum#initialized", () => offerWallet(where), { once: true }); // some come after the page
    return;
  }
  const offer = JSON.parse(place.dataset.offer);
  const sent = sessionStorage.getItem(offer.order_ref);
  if (sent !== null && !busy) follow(offer, sent); // the page was loaded again meanwhile
  place.querySelector("button").addEventListener("click", () => payOnce(offer));
  place.hidden = false;
  show();
}

async function payOnce(offer) {
  if (busy) return;
  say(offer.approve === null ? "asks" : "allows", true);
  let sent;
  try {
    sent = await pay(window.ethereum, offer);
  } catch (error) {
    say(error instanceof Reverted ? "reverted" : (MESSAGES[error?.code] ?? "unsure"), false);
    return;
  }
  sessionStorage.setItem(offer.order_ref, sent);
  await follow(offer, sent);
}

async function follow(offer, sent) {
  say("sent", true);
  try {
    await mined(window.ethereum, sent);
  } catch (error) {
    if (!(error instanceof Reverted)) return; // the page goes on by what the server sees
    sessionStorage.removeItem(offer.order_ref);
    say("reverted", false);
  }
}

/** The hash of the transaction that pays. */
async function pay(wallet, offer) {
  const [from] = await wallet.request({ method: "eth_requestAccounts" });
  const chainId = hex(offer.chain_id);
  await chooseNetwork(wallet, chainId);
  const send = (to, data, value) =>
    wallet.request({ method: "eth_sendTransaction", params: [{ from, to, data, value: hex(value), chainId }] });
  if (offer.approve !== null) await mined(wallet, await send(offer.approve.to, offer.approve.data, 0));
  return send(offer.to, offer.data, offer.value);
}

async function chooseNetwork(wallet, chainId) {
  if (BigInt(await wallet.request({ method: "eth_chainId" })) === BigInt(chainId)) return;
  await wallet.request({ method: "wallet_switchEthereumChain", params: [{ chainId }] }); // EIP-3326
}

/** Once the transaction is in a block; throws `Reverted` if it came to nothing. */
async function mined(wallet, hash) {
  for (;;) {
    const receipt = await wallet.request({ method: "eth_getTransactionReceipt", params: [hash] });
    if (receipt?.status === "0x1") return;
    if (receipt) throw new Reverted(hash);
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
}

function say(what, isBusy) {
  [word, busy] = [what, isBusy];
  show();
}

function show() {
  const place = part.querySelector("#browser-wallet");
  if (place === null) return;
  place.querySelector("[role=status]").textContent = place.dataset[word] ?? "";
  place.querySelector("button").disabled = busy;
}

const hex = (number) => `0x${BigInt(number).toString(16)}`;
