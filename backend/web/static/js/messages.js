/**
 * Sentences in the reader's language, from a JSON file made of the room's gettext catalogue (`make messages`).
 *
 * The English sentence is the key; what is missing stays English. Language, dates and numbers follow `<html lang>`.
 */

let catalogue = {};

/** Reads the catalogue at `url` (none for English). A failure leaves English. */
export async function loadMessages(url) {
  if (url === null) return;
  try {
    catalogue = await (await fetch(url)).json();
  } catch {
    catalogue = {};
  }
}

export const language = () => document.documentElement.lang || "en";

/** The sentence in the reader's language, `{name}` replaced by `values.name`. */
export function _(sentence, values = {}) {
  return put(catalogue[sentence] ?? sentence, values);
}

/** By number; `{n}` is the number in the reader's digits. */
export function ngettext(one, many, count, values = {}) {
  const forms = catalogue[one] ?? [one, many];
  const form = forms[Math.min(forms.length - 1, count === 1 ? 0 : 1)];
  return put(form, { n: new Intl.NumberFormat(language()).format(count), ...values });
}

/** 12 s, 5 min, 3 h, 2 days: rounded down, one unit. */
export function duration(seconds) {
  const n = Math.max(0, Math.floor(seconds));
  if (n < 60) return _("{n} s", { n });
  if (n < 3600) return _("{n} min", { n: Math.floor(n / 60) });
  if (n < 86400) return _("{n} h", { n: Math.floor(n / 3600) });
  return ngettext("{n} day", "{n} days", Math.floor(n / 86400));
}

/** A moment in Unix seconds: the time of day, with the date unless it is today. */
export function clockTime(moment, now = Date.now() / 1000) {
  const date = new Date(moment * 1000);
  const isToday = date.toDateString() === new Date(now * 1000).toDateString();
  const format = isToday ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(language(), format).format(date);
}

function put(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
