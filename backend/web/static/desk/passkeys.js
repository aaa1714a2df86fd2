/**
 * Makes and asks for passkeys (WebAuthn), and sends the browser's answer as an ordinary form. A form with
 * `data-passkey="create"` or "get" carries the options as JSON in `data-options`; it is shown only where this can work.
 */

const ANSWERED = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (window.PublicKeyCredential === undefined) {
    form.querySelector("[data-cannot]")?.removeAttribute("hidden");
    continue;
  }
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    if (form.elements.answer.value !== "") return; // it is answered: off it goes
    event.preventDefault();
    answer(form);
  });
}

async function answer(form) {
  const failed = form.querySelector("[data-failed]");
  const button = form.querySelector("button");
  failed.hidden = true;
  button.disabled = true;
  try {
    const publicKey = optionsOf(form.dataset.options);
    const made = await navigator.credentials[form.dataset.passkey]({ publicKey });
    form.elements.answer.value = JSON.stringify(textOf(made));
    button.disabled = false;
    form.requestSubmit();
  } catch { // refused, timed out, or no passkey here: browsers don't tell which
    button.disabled = false;
    failed.hidden = false;
  }
}

function optionsOf(json) {
  const options = JSON.parse(json);
  options.challenge = bytesOf(options.challenge);
  if (options.user !== undefined) options.user.id = bytesOf(options.user.id);
  for (const known of [...(options.excludeCredentials ?? []), ...(options.allowCredentials ?? [])]) {
    known.id = bytesOf(known.id);
  }
  return options;
}

function textOf(credential) {
  const { response } = credential;
  const said = ANSWERED.filter((name) => response[name]).map((name) => [name, base64url(response[name])]);
  return {
    id: credential.id,
    rawId: base64url(credential.rawId),
    type: credential.type,
    response: Object.fromEntries(said),
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

function bytesOf(text) {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/").padEnd(Math.ceil(text.length / 4) * 4, "=");
  return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
}

function base64url(buffer) {
  const text = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
