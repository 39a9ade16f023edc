// The form at /new: every change is checked, drawn and scored by the service.

import { ask, element, ProblemError, root } from "./common.js";
import { Fields } from "./new-fields.js";
import { Limits } from "./new-limits.js";
import { Penalty } from "./new-penalty.js";
import { callOf, scoreOf, serve, show } from "./new-results.js";
import { FIRST_TASK, FIRST_VALUES, fileOf, parseExactly, placeOf, read } from "./new-task.js";

const PAUSE = 150;
const [UNFIT, UNAUTHORIZED] = [422, 401];
const LONGEST_FILE = 64 * 1024;
const at = (id) => document.getElementById(id);
const needsToken = document.querySelector("[data-place=token]") !== null;

const draft = { task: structuredClone(FIRST_TASK) };
const example = { base_score: 2.5, values: { ...FIRST_VALUES } };
const registration = { id: "trial-1" };
let droppedSlo = structuredClone(FIRST_TASK.slo);

const fields = new Fields(draft, changed);
const exampleFields = new Fields(example, changed);
const registerFields = new Fields(registration, changed);
const penalty = new Penalty(at("penalty"), fields, changed);
const limits = new Limits(at("limits"), at("limit"), fields, changed);

/** Another task, or another set of limits: make what depends on that anew. */
function showTask() {
  limits.show();
  fields.fill();
  at("scored").checked = isScored();
  changed();
}

const isScored = () => (draft.task.slo ?? null) !== null;

/** Fields for the example's values, made anew where there are other SLIs than before. */
function showExample(slis) {
  const box = at("values");
  const shown = slis.map(({ sli, title }) => `${sli} ${title}`).join();
  if (box.dataset.shown === shown) return;
  box.dataset.shown = shown;
  for (const old of box.querySelectorAll("[data-sli]")) {
    exampleFields.release(old);
    old.remove();
  }
  for (const { sli, title, pointer } of slis) {
    example.values[sli] ??= read(draft.task, [...placeOf(pointer), "threshold"]);
    const input = element("input", { type: "text", inputmode: "decimal", size: "6", autocomplete: "off" });
    const error = element("span", { class: "error", hidden: "" });
    const made = element("div", { class: "field", "data-sli": sli }, element("label", {}, element("span", {}, title), " ", input), error);
    box.append(made);
    exampleFields.bindField(made, ["values", sli]);
  }
  exampleFields.fill();
}

let timer;
let asking = new AbortController();

/** Show at once what needs no asking, and ask for the rest once nothing changes any more. */
function changed() {
  asking.abort();
  at("slo").hidden = !isScored();
  penalty.follow();
  limits.follow();
  show(at("json"), fileOf(draft.task));
  show(at("call"), callOf(bodyOf(registration), needsToken));
  clearTimeout(timer);
  timer = setTimeout(refresh, PAUSE);
}

function bodyOf({ id, target }) {
  return { id, task: draft.task, ...(target === undefined ? {} : { target }) };
}

async function refresh() {
  asking = new AbortController();
  const { signal } = asking;
  try {
    const slis = await check(signal);
    document.body.classList.toggle("stale", slis === null);
    if (slis !== null) await Promise.all([drawAndScore(slis, signal), showRules(signal)]);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

/** What the service says of the task; gives its SLIs, or null where it is not valid. */
async function check(signal) {
  const [answer, problem] = await asked("check", { task: draft.task }, signal);
  if (problem !== null && problem.status !== UNFIT) {
    at("summary").textContent = problem.message;
    return null;
  }
  const mistakes = problem === null ? [] : mistakesOf(problem);
  list(at("elsewhere"), fields.blame(mistakes));
  list(at("warnings"), answer?.warnings ?? []);
  const number = mistakes.length;
  const words = `${number} ${number === 1 ? "mistake" : "mistakes"} in the task: curves and score are those before.`;
  at("summary").textContent = number === 0 ? "The task is valid." : words;
  if (answer === null) return null;
  fields.hint({ task: answer.task });
  limits.learn(answer.slis);
  showExample(answer.slis);
  return answer.slis;
}

async function drawAndScore(slis, signal) {
  const { slo, optimization } = draft.task;
  const values = Object.fromEntries(slis.map(({ sli }) => [sli, example.values[sli] ?? null]));
  const objective = optimization?.objective;
  const scored = { ...(isScored() ? { slo } : {}), ...(objective ? { objective } : {}), base_score: example.base_score ?? null, values };
  const [[drawn], [report, problem]] = await Promise.all([
    isScored() ? asked("curves", { slo }, signal) : [{ curves: [] }],
    asked("score", scored, signal),
  ]);
  const elsewhere = exampleFields.blame(problem === null ? [] : mistakesOf(problem));
  limits.draw(drawn?.curves ?? [], report?.slis ?? []);
  const without = ["There is no score without all of these figures.", ...elsewhere].map((text) => element("p", {}, text));
  at("scored-example").replaceChildren(...(report === null ? without : scoreOf(report)));
}

async function showRules(signal) {
  const box = at("rules");
  if (!box.open) return;
  // Rules begin with a comment, a problem is JSON.
  const parse = (text) => (text.startsWith("#") ? text : JSON.parse(text));
  const [text, problem] = await asked("rules", { task: draft.task }, signal, { parse });
  show(at("rules-file"), text ?? "");
  list(box.querySelector("ul"), problem?.errors ?? []);
}

/** An answer and no problem, or no answer and what the service found wrong. */
async function asked(what, body, signal, more = {}) {
  try {
    return [await ask(`api/v1/${what}`, { body, signal, ...more }), null];
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return [null, error];
  }
}

/** Mistakes with their pointers; those of no known field point nowhere. */
function mistakesOf({ fields: known, errors }) {
  return known.length > 0 ? known : errors.map((detail) => ({ pointer: "", detail }));
}

function list(box, sentences) {
  box.replaceChildren(...sentences.map((text) => element("li", {}, text)));
  box.hidden = sentences.length === 0;
}

at("scored").addEventListener("change", () => {
  if (at("scored").checked) {
    draft.task.slo = droppedSlo;
  } else {
    droppedSlo = draft.task.slo;
    delete draft.task.slo;
  }
  showTask();
});

at("rules").addEventListener("toggle", () => at("rules").open && changed());

at("import").querySelector("button").addEventListener("click", async () => {
  const box = at("import");
  const [area, chosen] = [box.querySelector("textarea"), box.querySelector("input").files[0]];
  const said = box.querySelector("[role=status]");
  said.textContent = "";
  if (chosen && chosen.size > LONGEST_FILE) return list(box.querySelector("ul"), [`${chosen.name} is larger than 64 KiB.`]);
  const text = chosen ? await chosen.text() : area.value;
  const name = chosen?.name ?? (text.trimStart().startsWith("{") ? "task.json" : "task.yaml");
  const [answer, problem] = await asked("check", { text, name }, undefined, { parse: parseExactly });
  list(box.querySelector("ul"), problem?.errors ?? []);
  if (answer === null) return undefined;
  draft.task = answer.written;
  droppedSlo = draft.task.slo ?? structuredClone(FIRST_TASK.slo);
  said.textContent = `Imported ${name}.`;
  return showTask();
});

at("register").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = at("register");
  const headers = registration.token ? { Authorization: `Bearer ${registration.token}` } : {};
  const [made, problem] = await asked("experiments", bodyOf(registration), undefined, { headers });
  const place = problem?.status === UNAUTHORIZED ? [{ pointer: "/token", detail: problem.message }] : problem && mistakesOf(problem);
  list(form.querySelector("ul"), registerFields.blame(place ?? []));
  form.querySelector("[aria-invalid]")?.focus();
  const said = form.querySelector("p[role=status]");
  said.replaceChildren();
  if (made !== null) {
    const link = element("a", { href: new URL(`experiments/${encodeURIComponent(made.id)}`, root).href }, made.id);
    said.append("Registered ", link, `: ${made.state}.`);
  }
});

at("task").addEventListener("submit", (event) => event.preventDefault());
for (const output of document.querySelectorAll(".output")) serve(output);
fields.bind(at("task"), ["task"]);
exampleFields.bind(at("values"));
registerFields.bind(at("register"));
registerFields.fill();
showTask();
