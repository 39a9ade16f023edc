// The buttons that finish and abort a live experiment.

import { ask, ProblemError } from "./common.js";
import { refresh } from "./live.js";

const UNAUTHORIZED = 401;

/** Show and serve the buttons of a box until the experiment of this id `isLive` no more. */
export function serveEnding(box, id, isLive) {
  const find = (selector) => box.querySelector(selector);
  const [finish, abort, token, sure, reason] = ["#finish", "#abort", "#token", "#sure", "#reason"].map(find);
  const [said, refused] = [find("[role=alert]"), find("#token-error")];

  let isBusy = false;

  async function end(how, body) {
    if (isBusy) return;
    isBusy = true;
    say("", "");
    try {
      const headers = token?.value ? { Authorization: `Bearer ${token.value}` } : {};
      await ask(`api/v1/experiments/${encodeURIComponent(id)}/${how}`, { body, headers });
      await refresh();
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      if (error.status === UNAUTHORIZED && token) {
        say("", error.message);
        token.focus();
      } else {
        say(error.errors.join(" "), "");
      }
    } finally {
      isBusy = false;
    }
  }

  function say(text, ofToken) {
    said.textContent = text;
    if (!token) return;
    refused.textContent = ofToken;
    token.setAttribute("aria-invalid", String(ofToken !== ""));
  }

  /** An experiment that has ended has no buttons, and one that settles cannot be finished again. */
  function follow() {
    const state = isLive();
    if (state === null && box.contains(document.activeElement)) document.getElementById("main").focus();
    if (state === null && sure.open) sure.close();
    box.hidden = state === null;
    if (state === "settling" && finish === document.activeElement) abort.focus();
    finish.hidden = state === "settling";
  }

  finish.addEventListener("click", () => end("finish", {}));
  abort.addEventListener("click", () => {
    sure.returnValue = "";
    sure.showModal();
  });
  sure.addEventListener("close", () => {
    if (sure.returnValue === "abort") end("abort", reason.value ? { reason: reason.value } : {});
  });
  document.addEventListener("renewed", follow);
  follow();
}
