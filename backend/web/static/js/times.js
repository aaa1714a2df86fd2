/** Times without a place (`<time data-local>`), said by the server in UTC: in the reader's own zone and habits. */

const spoken = document.documentElement.lang.split("-")[0];
const habit = navigator.languages.find((tag) => tag.split("-")[0] === spoken && tag.includes("-"));
const format = new Intl.DateTimeFormat(habit ?? document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

export function localise(root) {
  for (const element of root.querySelectorAll("time[data-local]")) {
    element.textContent = format.format(Date.parse(element.dateTime));
  }
}

localise(document);
