// A task's experiments before and after: ranks, scores, and what changed, in words too.

import { element, figure, root } from "./common.js";

const COLUMNS = ["Rank", "Experiment", "Score before", "Score after", "Status after", "Binding SLO"];
const ARROWS = { up: "▲", down: "▼", failed: "✕", same: "=" };

/** What became of one experiment: a kind and its words. */
export function moveOf({ before, after }) {
  if (after === null) return ["same", "not rescored"];
  if (after.status === "FAILED") return before.status === "FAILED" ? ["same", "still failed"] : ["failed", "newly failed"];
  if (after.rank === null) return ["same", before.rank === null ? "still without a rank" : "without a rank now"];
  if (before.rank === null) return ["up", before.status === "FAILED" ? "no longer failed" : "newly ranked"];
  const steps = before.rank - after.rank;
  if (steps === 0) return ["same", "unchanged"];
  return steps > 0 ? ["up", `up ${steps}`] : ["down", `down ${-steps}`];
}

/** The table of all of them. */
export function rankingOf(experiments) {
  const head = COLUMNS.map((name) => element("th", { role: "columnheader", scope: "col" }, name));
  return element(
    "table",
    { class: "experiments", role: "table", "aria-label": "Ranking" },
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...head)),
    element("tbody", { role: "rowgroup" }, ...experiments.map(rowOf)),
  );
}

/** How many moved, in a sentence. */
export function summaryOf({ experiments, left_out: leftOut }) {
  const counts = new Map();
  for (const one of experiments) {
    const name = moveOf(one)[1].replace(/^(up|down) \d+$/, "moved $1");
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const number = experiments.length;
  const moved = [...counts].map(([name, count]) => `${count} ${name}`).join(", ");
  const words = number === 0 ? "No experiment of this task can be rescored." : `${number} ${number === 1 ? "experiment" : "experiments"}: ${moved}.`;
  return leftOut === 0 ? words : `${words} ${leftOut} left out: live, aborted, of another objective, or too old.`;
}

function rowOf(one) {
  const { experiment, before, after } = one;
  const link = element("a", { href: new URL(`experiments/${encodeURIComponent(experiment)}`, root).href }, experiment);
  return element(
    "tr",
    { role: "row", "data-name": experiment },
    cell("Rank", ...ranksOf(one)),
    element("th", { role: "rowheader", scope: "row", "data-label": "Experiment" }, link),
    cell("Score before", figure(before.score)),
    cell("Score after", after === null ? "none" : figure(after.score)),
    cell("Status after", ...statusOf(one)),
    cell("Binding SLO", after === null ? "none" : bindingOf(after)),
  );
}

function ranksOf(one) {
  const [was, now] = [one.before.rank ?? "none", one.after?.rank ?? "none"];
  const [kind, words] = moveOf(one);
  return [
    element("span", { "aria-hidden": "true" }, `${was} → ${now}`),
    element("span", { class: "unseen" }, `from ${was} to ${now}:`),
    " ",
    element("span", { class: `move ${kind}` }, element("span", { "aria-hidden": "true" }, `${ARROWS[kind]} `), words),
  ];
}

function statusOf({ after, unscorable }) {
  const note = (text) => element("span", { class: "note" }, text);
  if (after === null) return [element("span", {}, element("span", { class: "badge" }, "NOT RESCORED"), note(unscorable ?? ""))];
  const kinds = { SUCCESS: after.penalty > 0 ? "soft" : "met", FAILED: "failed" };
  const parts = [element("span", { class: `badge ${kinds[after.status] ?? ""}` }, after.status)];
  if (after.score !== null && !after.certain) parts.push(note("not certain"));
  if (after.score === null && after.reason) parts.push(note(after.reason));
  return [element("span", {}, ...parts)];
}

/** How far the SLI with the largest violation ratio is from its threshold. */
function bindingOf({ binding_constraint: sli, constraints }) {
  if (sli === null) return "none";
  const ratio = constraints[sli];
  const share = `${figure(100 * Math.abs(Number(ratio)))}%`;
  return `${sli}, ${Number(ratio) > 0 ? `missed by ${share}` : `met with ${share} to spare`}`;
}

const cell = (label, ...content) => element("td", { role: "cell", "data-label": label }, ...content);
