// What comes of a task: its file, the call that registers it, and the score of an example.

import { element, figure, root } from "./common.js";

/** Show text in an output of the page. */
export const show = (output, text) => (output.querySelector("textarea").value = text);

/** Let the buttons of an output copy its text and save it as a file. */
export function serve(output) {
  const area = output.querySelector("textarea");
  const said = output.querySelector("[role=status]");
  const buttons = {
    async copy() {
      said.textContent = (await copied(area)) ? "Copied." : "Marked: copy it with the keyboard.";
    },
    download({ dataset }) {
      const url = URL.createObjectURL(new Blob([area.value]));
      element("a", { href: url, download: dataset.file }).click();
      URL.revokeObjectURL(url);
      said.textContent = `Saved as ${dataset.file}.`;
    },
  };
  for (const button of output.querySelectorAll("button")) {
    button.addEventListener("click", () => buttons[button.dataset.do](button));
  }
}

async function copied(area) {
  try {
    await navigator.clipboard.writeText(area.value);
    return true;
  } catch {
    // Browsers give no clipboard to pages that come without encryption from another machine.
    area.focus();
    area.select();
    return false;
  }
}

/** The call that registers an experiment; the token stays out of it. */
export function callOf(registration, needsToken) {
  const url = new URL("api/v1/experiments", root).href.replaceAll("'", "%27");
  const token = needsToken ? ['-H "Authorization: Bearer $SLOSCORE_TOKEN"'] : [];
  const lines = [`curl -fsS '${url}'`, "-H 'Content-Type: application/json'", ...token, "--data-binary @- <<'EOF'"];
  return `${lines.join(" \\\n  ")}\n${JSON.stringify(registration, null, 2)}\nEOF\n`;
}

/** A report as sentences. */
export function scoreOf(report) {
  const { base_score: base, penalty_multiplier: multiplier, score, slo_violation: isHard } = report;
  const verdict = isHard ? "failed" : report.penalty > 0 ? "soft" : "met";
  const badges = [element("span", { class: `badge ${score === null ? "" : verdict}` }, report.status)];
  if (isHard) badges.push(" ", element("span", { class: "badge hard" }, "SLO"));
  const sum = isHard
    ? `${figure(score)}; without the hard fail ${figure(base)} × ${figure(multiplier)} = ${figure(report.finite_score)}`
    : `${figure(base)} × ${figure(multiplier)} = ${figure(score)}`;
  const rows = report.slis.map(({ explanation, penalty }) =>
    element("li", {}, penalty > 0 || penalty === "Infinity" ? `${explanation} Penalty: ${figure(penalty)}.` : explanation),
  );
  const words = [element("p", {}, element("strong", {}, `Score ${sum}`), " ", ...badges)];
  if (score === null && report.reason) words.push(element("p", {}, report.reason));
  return [...words, element("ul", {}, ...rows)];
}
