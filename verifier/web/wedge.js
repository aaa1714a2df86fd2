/**
 * A USB scanner: a keyboard that types digits and mostly ends with Enter, wherever the focus is.
 *
 * Keys are told by their place (`code`), not by what the keyboard's layout makes of them: so a French layout does no
 * harm. Without an Enter, a pause after as many digits as a code has ends the scan.
 */

import { DIGITS_OF } from "../../credential/web/digits.js";

const CODE_LENGTHS = new Set(DIGITS_OF.values());
const LONGEST = 2000; // characters; whatever types more than that is no scanner of codes
const FEWEST = 8; // digits before Enter that mean a scanner and not a person
const BREAK_MS = 1000; // a pause that begins a new scan
const NO_ENTER_MS = 250; // a pause after a whole code that ends it

/** Calls `onScan(text)` for each scan; answers a function that stops. Typing into fields is left alone. */
export function listenForScanner(onScan) {
  let text = "";
  let last = 0;
  let timer = 0;

  const end = () => {
    clearTimeout(timer);
    const scanned = text;
    text = "";
    onScan(scanned);
  };

  const onKey = (event) => {
    if (isTyping(event)) return;
    if (event.timeStamp - last > BREAK_MS) text = "";
    last = event.timeStamp;
    const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code)?.[1];
    if (digit !== undefined) {
      clearTimeout(timer);
      if (text.length < LONGEST) text += digit;
      if (CODE_LENGTHS.has(text.length)) timer = setTimeout(end, NO_ENTER_MS);
      event.preventDefault();
    } else if ((event.code === "Enter" || event.code === "NumpadEnter") && text.length >= FEWEST) {
      event.preventDefault(); // or it would press the button that has the focus
      event.stopPropagation();
      end();
    }
  };

  window.addEventListener("keydown", onKey, { capture: true });
  return () => window.removeEventListener("keydown", onKey, { capture: true });
}

function isTyping({ target, ctrlKey, altKey, metaKey }) {
  return ctrlKey || altKey || metaKey || (target instanceof Element && target.matches("input, textarea, select"));
}
