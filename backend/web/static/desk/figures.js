/** Draws the page's tables as charts and keeps both up to date. What it draws is what the table says, nothing else. */

import uPlot from "../vendor/uplot/uPlot.js";

import { localise } from "../js/times.js";

const LOOK_MS = 10_000;
const HEIGHT = 260; // CSS pixels
const DAY_S = 86_400;
const SHORTEST_STEP_S = 60;
const FEWEST_STEPS = 10; // shown even when all happened in one

const live = document.getElementById("figures");
let told = live.innerHTML;
let charts = [];

function draw() {
  for (const chart of charts) chart.destroy();
  charts = [];
  for (const place of live.querySelectorAll(".chart")) {
    const rows = [...document.getElementById(place.dataset.table).tBodies[0].rows];
    place.hidden = false;
    charts.push(chartOf(place, rows));
  }
}

function chartOf(place, rows) {
  const times = rows.map((row) => Date.parse(row.dataset.at) / 1000);
  const step = times.length > 1 ? times[1] - times[0] : SHORTEST_STEP_S;
  const said = new Intl.DateTimeFormat(document.documentElement.lang,
    step < DAY_S ? { hour: "2-digit", minute: "2-digit" } : { month: "short", day: "numeric" });
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, font: "13px system-ui" };
  const data = [times, rows.map((row) => Number(row.dataset.count))];
  return new uPlot({
    width: Math.max(280, place.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: () => [times[0], Math.max(times.at(-1) + step, times[0] + FEWEST_STEPS * step)] },
      y: { range: (_chart, _low, high) => [0, Math.max(1, high)] },
    },
    axes: [
      { ...axis, values: (_chart, splits) => splits.map((at) => said.format(at * 1000)) },
      { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] },
    ],
    series: [{}, {
      label: place.dataset.label,
      fill: colour("--brand"),
      stroke: colour("--brand"),
      paths: uPlot.paths.bars({ size: [0.8, 60], align: 1 }),
      points: { show: false },
    }],
  }, data, place);
}

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(live.dataset.address);
    if (!answer.ok || answer.redirected) return;
    const now = await answer.text();
    if (now === told) return;
    told = now;
    const open = [...live.querySelectorAll("details")].map((one) => one.open);
    live.innerHTML = now; // our own page's part, escaped by the server
    [...live.querySelectorAll("details")].forEach((one, at) => { one.open = open[at] ?? false; });
    localise(live);
    draw();
  } catch {
    // the network is away: what is shown stays, and the next look tries again
  }
}

draw();
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
setInterval(look, LOOK_MS);
