// What the page of an experiment shows where scripts may run: penalty curves, what it has seen, and buttons to end it.

import { ask, element, figure, ProblemError } from "./common.js";
import { serveEnding } from "./end.js";
import { add, draw, measure } from "./new-curves.js";
import { serve } from "./new-results.js";
import { Seen } from "./seen.js";

const opened = performance.now();
const facts = () => document.getElementById("facts").dataset;
const registration = JSON.parse(document.querySelector("#registration textarea").value);
const isLive = () => ("isLive" in facts() ? facts().state : null);
const numberOf = (text) => (text === "" ? null : Number(text));

/** What the page says of each SLI now. */
function slis() {
  return [...document.querySelectorAll("#experiment [data-sli]")].map(({ dataset }) => ({
    sli: dataset.sli,
    unit: dataset.unit,
    value: numberOf(dataset.value),
    penalty: numberOf(dataset.penalty),
    threshold: numberOf(dataset.threshold),
  }));
}

/** A card with an empty drawing, which `box` gets at its end. */
function drawingIn(box, title, viewBox) {
  const card = element("figure", { class: "card" }, element("h3", {}, title));
  box.append(card);
  return add(card, "svg", { viewBox, role: "img", "aria-label": title });
}

function drawStanding(svg, curve, stands) {
  draw(svg, curve, stands ?? null);
  const told = stands ? `${measure(stands.value, curve.unit)}, penalty ${figure(stands.penalty)}` : "no data";
  svg.setAttribute("aria-label", `${svg.getAttribute("aria-label")} This experiment: ${told}.`);
}

async function showCurves() {
  const box = document.getElementById("curves");
  const slo = registration.task?.slo ?? null;
  if (slo === null) return;
  box.hidden = false;
  try {
    const { curves } = await ask("api/v1/curves", { body: { slo } });
    const drawn = curves.map((curve) => [curve, drawingIn(box.querySelector(".drawings"), curve.title, "0 0 320 170")]);
    const follow = () => {
      const now = slis();
      for (const [curve, svg] of drawn) drawStanding(svg, curve, now.find(({ sli, value }) => sli === curve.sli && value !== null));
    };
    document.addEventListener("renewed", follow);
    follow();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    box.querySelector("[role=alert]").textContent = error.errors.join(" ");
  }
}

/** Follow a live experiment; its last values are those that it ended with. */
function follow(box) {
  const drawings = new Map();
  box.hidden = false;

  function see(key, value, how) {
    if (!drawings.has(key)) {
      drawings.set(key, { seen: new Seen(), svg: drawingIn(box.querySelector(".drawings"), how.title, "0 0 320 110") });
    }
    const { seen, svg } = drawings.get(key);
    seen.add((performance.now() - opened) / 1000, value);
    seen.draw(svg, how);
  }

  let hasEnded = false;
  const look = () => {
    if (hasEnded) return;
    hasEnded = isLive() === null;
    see("", numberOf(facts().penalty), { title: "Penalty", unit: "", threshold: null, isLogarithmic: true });
    for (const { sli, value, unit, threshold } of slis()) {
      see(sli, value, { title: sli, unit, threshold, isLogarithmic: false });
    }
  };
  document.addEventListener("renewed", look);
  look();
}

const output = document.getElementById("registration");
for (const button of output.querySelectorAll("button")) button.hidden = false;
serve(output);
showCurves();
const [actions, seen] = [document.getElementById("actions"), document.getElementById("seen")];
if (actions !== null) {
  serveEnding(actions, facts().name, isLive);
  follow(seen);
}
