// Keeps what a page marks with data-live fresh: the page is asked for again, and what changed is put in place.

import { reach } from "./common.js";
import { renew } from "./renew.js";

const control = document.querySelector(".live-control");
const button = control.querySelector("button");
const said = control.querySelector("[role=status]");
const regions = [...document.querySelectorAll("[data-live]")];
const every = Math.max(1, Number(control.dataset.every)) * 1000;

let timer = 0;
let tag = null;
let failures = 0;
let paused = false;
let asking = null;

/** Say something to everybody, screen readers included. */
function say(text) {
  if (said.textContent !== text) said.textContent = text;
}

function plan(delay) {
  clearTimeout(timer);
  if (!paused && !document.hidden) timer = setTimeout(refresh, delay);
}

/** Ask for the page at once; "renewed" is told on the document when it was answered, changed or not. */
export async function refresh() {
  clearTimeout(timer);
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  try {
    const answer = await reach(location.href, { headers: { Accept: "text/html" }, signal });
    if (!answer.ok) throw new Error(`The service answers ${answer.status}.`);
    const fresh = answer.headers.get("ETag");
    if (fresh === null || fresh !== tag) {
      const text = await answer.text();
      // Paused, hidden or asked again in the meantime.
      if (signal.aborted) return;
      show(new DOMParser().parseFromString(text, "text/html"));
      tag = fresh;
    }
    if (failures > 0) say("");
    failures = 0;
    document.dispatchEvent(new Event("renewed"));
    plan(every);
  } catch (error) {
    if (error.name === "AbortError") return;
    failures += 1;
    say(`${error.message} What is shown may be old.`);
    plan(Math.min(60_000, every * 2 ** failures));
  }
}

function show(page) {
  const ended = [];
  const focused = document.activeElement;
  for (const region of regions) {
    const fresh = page.getElementById(region.id);
    if (fresh === null) continue;
    const live = new Set([...region.querySelectorAll("[data-is-live]")].map((row) => row.id));
    renew(region, fresh);
    for (const row of region.querySelectorAll("[data-state]:not([data-is-live])")) {
      if (live.has(row.id)) ended.push(`${row.dataset.name}: ${row.dataset.state}.`);
    }
  }
  // What is moved loses it.
  if (document.activeElement !== focused && focused.isConnected) focused.focus({ preventScroll: true });
  if (ended.length > 0) say(ended.join(" "));
}

function pause(yes) {
  paused = yes;
  button.setAttribute("aria-pressed", String(yes));
  if (yes) stop();
  else refresh();
}

function stop() {
  clearTimeout(timer);
  asking?.abort();
}

button.addEventListener("click", () => pause(!paused));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stop();
  else if (!paused) refresh();
});
// Where nothing is shown that can change, nothing is asked for.
control.hidden = regions.length === 0;
plan(every);
