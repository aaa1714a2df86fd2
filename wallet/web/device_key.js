/** Device keys: Ed25519 in WebCrypto, not extractable. */

/** A new key pair: `{privateKey, publicKey}`, the public one as 32 bytes. Rejects with NotSupportedError on old browsers. */
export async function makeDeviceKey() {
  const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  return { privateKey: pair.privateKey, publicKey };
}

/** Turns a message into a promise of 64 bytes, as `credential/web/codes.js` wants it. */
export function signerFor({ privateKey }) {
  return async (message) => new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, message));
}

/** Null, or the code of why this browser can't hold device keys. */
export async function whyNoKeys() {
  if (!globalThis.isSecureContext || crypto.subtle === undefined) return "insecure";
  try {
    await makeDeviceKey();
    return null;
  } catch {
    return "browser_old";
  }
}
