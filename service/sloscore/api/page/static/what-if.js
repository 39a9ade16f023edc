// The form at /what-if: every change of the SLOs is rescored by the service.

import { ask, element, ProblemError } from "./common.js";
import { Fields } from "./new-fields.js";
import { Penalty } from "./new-penalty.js";
import { serve, show } from "./new-results.js";
import { limitsIn, nameOf, parseExactly, pointerOf } from "./new-task.js";
import { commandOf } from "./what-if-command.js";
import { rankingOf, summaryOf } from "./what-if-ranking.js";

const PAUSE = 150;
const UNFIT = 422;
const at = (id) => document.getElementById(id);
const form = at("rescore");
const { task } = form.dataset;
const text = at("section").querySelector("textarea");
const before = parseExactly(text.defaultValue);

const draft = { task: {} };
const fields = new Fields(draft, edited);
const penalty = new Penalty(at("penalty"), fields, edited);

/** Somebody changed a field: the text follows. */
function edited() {
  text.value = JSON.stringify(draft.task.slo, null, 2);
  changed();
}

/** Somebody changed the text: the fields follow, once it is JSON. */
function written() {
  try {
    draft.task.slo = parseExactly(text.value);
  } catch (error) {
    stop();
    // What is half written must not be lost to a change of a field.
    at("edited").disabled = true;
    tell([{ pointer: "/task/slo", detail: `This is no JSON: ${error.message}` }]);
    return;
  }
  at("edited").disabled = false;
  changed();
}

/** A row for each limit, made anew where there are other limits than before. */
function showLimits() {
  const places = limitsIn(draft.task.slo);
  const box = at("limits");
  const shown = places.map(pointerOf).join();
  if (box.dataset.shown !== shown) {
    box.dataset.shown = shown;
    fields.release(box);
    box.replaceChildren(...places.map(rowOf));
  }
  fields.fill();
  penalty.follow();
}

function rowOf(place) {
  const row = at("limit").content.firstElementChild.cloneNode(true);
  const where = ["task", "slo", ...place];
  row.querySelector(".name").textContent = nameOf(place);
  for (const box of row.querySelectorAll(".field")) {
    box.querySelector("input").setAttribute("aria-label", `${box.dataset.label}, ${nameOf(place)}`);
  }
  fields.spot(row.querySelector("th"), where);
  fields.bind(row, where);
  return row;
}

let timer;
let asking = new AbortController();

function stop() {
  asking.abort();
  clearTimeout(timer);
}

function changed() {
  stop();
  showLimits();
  show(at("command"), commandOf(task, before, draft.task.slo));
  timer = setTimeout(rescore, PAUSE);
}

async function rescore() {
  asking = new AbortController();
  try {
    const body = { task, slo: draft.task.slo };
    const answer = await ask("api/v1/rescore", { body, signal: asking.signal });
    tell([]);
    fields.hint({ task: { slo: answer.slo } });
    at("summary").textContent = summaryOf(answer);
    if (answer.experiments.length > 0) at("ranking").replaceChildren(rankingOf(answer.experiments));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof ProblemError)) throw error;
    tell(mistakesOf(error));
  }
}

/** Mistakes with their pointers into the draft; those of no known field point nowhere. */
function mistakesOf({ status, fields: known, errors }) {
  if (status !== UNFIT || known.length === 0) return errors.map((detail) => ({ pointer: "", detail }));
  return known.map(({ pointer, detail }) => ({ pointer: `/task${pointer}`, detail }));
}

function tell(mistakes) {
  const elsewhere = fields.blame(mistakes);
  at("elsewhere").replaceChildren(...elsewhere.map((sentence) => element("li", {}, sentence)));
  at("elsewhere").hidden = elsewhere.length === 0;
  if (text.hasAttribute("aria-invalid")) text.closest("details").open = true;
  const number = mistakes.length;
  if (number > 0) at("summary").textContent = `${number} ${number === 1 ? "mistake" : "mistakes"}: the ranking is the one before.`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  written();
});
form.addEventListener("reset", (event) => {
  event.preventDefault();
  text.value = text.defaultValue;
  written();
});
text.addEventListener("input", written);
for (const output of document.querySelectorAll(".output")) serve(output);
fields.bind(at("penalty"), ["task"]);
fields.spot(text.closest(".field"), ["task", "slo"], text);
at("without").hidden = true;
form.hidden = false;
at("results").hidden = false;
written();
