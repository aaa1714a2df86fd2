/** The event's form, made pleasanter: the total while choosing; seats and "best seats" exclude each other. */

const form = document.getElementById("choose");
const total = document.getElementById("total");
const digits = Number(form.dataset.digits);
const money = new Intl.NumberFormat(document.documentElement.lang, {
  style: "currency",
  currency: form.dataset.currency,
  minimumFractionDigits: digits,
  maximumFractionDigits: digits,
});

function chosen(group) {
  const select = group.querySelector("select");
  const seats = group.querySelectorAll("input:checked").length;
  return seats || Number(select?.value ?? 0);
}

function show() {
  let count = 0;
  let minor = 0;
  for (const group of form.querySelectorAll("[data-price]")) {
    const quantity = chosen(group);
    count += quantity;
    minor += quantity * Number(group.dataset.price);
  }
  if (total === null) return;
  const words = (count === 1 ? total.dataset.one : total.dataset.many).replace("{n}", count);
  total.textContent = count === 0 ? "" : `${words} · ${money.format(minor / 10 ** digits)}`;
}

form.addEventListener("change", ({ target }) => {
  const group = target.closest?.("[data-price]") ?? null;
  if (group === null) return show();
  if (target.matches("select")) for (const seat of group.querySelectorAll("input:checked")) seat.checked = false;
  if (target.matches("input[type=checkbox]") && target.checked) group.querySelector("select").value = "0";
  return show();
});
addEventListener("pageshow", show); // also when the browser puts the form back as it was
