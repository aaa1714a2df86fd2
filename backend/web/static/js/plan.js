/**
 * The seat plan, made a form: each seat of the drawing is a checkbox that checks its twin in the list below, so the
 * list, the total and the server know of nothing else. One stop of the tab key; arrows move, space chooses.
 */

const NEAR = 26; // pixels from seat to seat: closer together, a finger can't tell them apart
const PITCH = 12; // units of the drawing from seat to seat
const CLOSE = 40; // pixels from seat to seat after a touch brought it closer
const MOST_ZOOM = 8;
const ANSWER_MS = 8_000;

const svg = document.getElementById("plan");
const view = document.getElementById("plan-view");
const said = document.getElementById("plan-said");
const form = document.getElementById("choose");
const boxes = new Map([...form.querySelectorAll(".seat input")].map((box) => [box.value, box]));
const spots = [...svg.querySelectorAll("[data-seat]")];
const taken = new Map(); // label -> held | sold, as the server said last
let zoom = 1;
let tag = null;

const boxOf = (spot) => boxes.get(spot.dataset.seat);
const say = (words) => { said.textContent = words; };

function begin() {
  for (const spot of spots) {
    const href = spot.getAttribute("href");
    if (href === "#seat-held" || href === "#seat-sold") taken.set(spot.dataset.seat, href.slice(6));
    spot.setAttribute("role", "checkbox");
    spot.setAttribute("tabindex", "-1");
    paint(spot);
  }
  spots[0]?.setAttribute("tabindex", "0");
  document.querySelector(".plan-tools").hidden = false;
  for (const words of document.querySelectorAll(".plan .with-script")) words.hidden = false;
  for (const list of form.querySelectorAll("details.seats")) list.open = list.querySelector(":checked") !== null;
  svg.classList.add("scripted");
}

function paint(spot) {
  const box = boxOf(spot);
  const kind = taken.get(spot.dataset.seat);
  const now = kind ?? (box.checked ? "chosen" : "free");
  if (spot.dataset.now === now) return;
  spot.dataset.now = now;
  spot.setAttribute("href", `#seat-${now}`);
  spot.setAttribute("aria-checked", String(now === "chosen"));
  spot.setAttribute("aria-label", nameOf(spot) + (kind === undefined ? "" : `, ${svg.dataset[kind]}`));
  if (kind === undefined) spot.removeAttribute("aria-disabled");
  else spot.setAttribute("aria-disabled", "true");
}

function nameOf(spot) {
  const label = boxOf(spot).closest("label");
  return [...label.querySelectorAll(":scope > span")].map((one) => one.textContent.split(",")[0]).join("").trim();
}

function toggle(spot) {
  const box = boxOf(spot);
  const kind = taken.get(spot.dataset.seat);
  if (kind !== undefined) return say(`${nameOf(spot)}: ${svg.dataset[kind]}`);
  const many = form.querySelectorAll(".seat input:checked").length;
  if (!box.checked && many >= Number(svg.dataset.most)) return say(svg.dataset.tooMany);
  box.checked = !box.checked;
  box.dispatchEvent(new Event("change", { bubbles: true }));
  return say((box.checked ? svg.dataset.chosen : svg.dataset.dropped).replace("{seat}", nameOf(spot)));
}

// --- keys ---------------------------------------------------------------------------------------------------------

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-Infinity, 0], End: [Infinity, 0] };

svg.addEventListener("keydown", (event) => {
  const spot = event.target.closest("[data-seat]");
  if (spot === null) return;
  if (event.key === " " || event.key === "Enter") {
    event.preventDefault();
    toggle(spot);
  } else if (event.key in STEPS) {
    event.preventDefault();
    go(spot, neighbour(spot, ...STEPS[event.key]));
  }
});

function neighbour(spot, right, down) {
  const rows = [...svg.querySelectorAll(".seat-row")].map((row) => [...row.querySelectorAll("[data-seat]")]);
  const at = rows.findIndex((row) => row.includes(spot));
  if (down === 0) {
    const row = rows[at];
    return row[Math.min(row.length - 1, Math.max(0, row.indexOf(spot) + right))];
  }
  const other = rows[at + down] ?? rows[at];
  const x = Number(spot.getAttribute("x"));
  const far = (one) => Math.abs(Number(one.getAttribute("x")) - x);
  return at + down in rows ? other.reduce((best, one) => (far(one) < far(best) ? one : best)) : spot;
}

function go(from, to) {
  from.setAttribute("tabindex", "-1");
  to.setAttribute("tabindex", "0");
  to.focus();
  to.scrollIntoView({ block: "nearest", inline: "nearest" });
}

// --- fingers and mice ---------------------------------------------------------------------------------------------

svg.addEventListener("click", (event) => {
  const spot = event.target.closest("[data-seat]");
  if (spot === null) return;
  if (event.pointerType === "touch" && apart() < NEAR) {
    look(zoom * CLOSE / apart(), event.clientX, event.clientY);
    return say(svg.dataset.closer);
  }
  for (const one of spots) if (one.getAttribute("tabindex") === "0") one.setAttribute("tabindex", "-1");
  spot.setAttribute("tabindex", "0");
  return toggle(spot);
});

/** Pixels from seat to seat on the screen. */
function apart() {
  return svg.getBoundingClientRect().width / svg.viewBox.baseVal.width * PITCH;
}

/** Shows the plan at another size; what was at the given point of the screen stays in the middle of the view. */
function look(wanted, clientX, clientY) {
  const frame = view.getBoundingClientRect();
  const before = svg.getBoundingClientRect();
  const x = ((clientX ?? frame.left + frame.width / 2) - before.left) / before.width;
  const y = ((clientY ?? frame.top + frame.height / 2) - before.top) / before.height;
  zoom = Math.min(MOST_ZOOM, Math.max(1, wanted));
  svg.style.width = `${100 * zoom}%`;
  const after = svg.getBoundingClientRect();
  view.scrollLeft = x * after.width - frame.width / 2;
  view.scrollTop = y * after.height - frame.height / 2;
}

for (const button of document.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => look(zoom * Number(button.dataset.zoom)));
}

// --- what others do -----------------------------------------------------------------------------------------------

async function ask() {
  if (document.hidden) return;
  try {
    const headers = tag === null ? {} : { "If-None-Match": tag };
    const answer = await fetch(svg.dataset.address, { headers, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.status !== 200) return;
    tag = answer.headers.get("ETag");
    learn(await answer.json());
  } catch {
    // the till decides anyway; the next look may get through
  }
}

function learn({ held, sold }) {
  taken.clear();
  for (const label of held) taken.set(label, "held");
  for (const label of sold) taken.set(label, "sold");
  const lost = [];
  for (const [label, box] of boxes) {
    const gone = taken.has(label);
    if (gone && box.checked) {
      box.checked = false;
      lost.push(label);
    }
    box.disabled = gone;
  }
  for (const spot of spots) paint(spot);
  if (lost.length === 0) return;
  say(svg.dataset.lost.replace("{seats}", lost.join(", ")));
  form.dispatchEvent(new Event("change")); // the total
}

form.addEventListener("change", () => { for (const spot of spots) paint(spot); });
addEventListener("pageshow", () => { for (const spot of spots) paint(spot); });
document.addEventListener("visibilitychange", ask);
begin();
setInterval(ask, 1_000 * Number(svg.dataset.look));
