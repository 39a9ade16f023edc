// The limits of the slo section: a row each, with its settings and its curve.

import { draw, failsFrom } from "./new-curves.js";
import { FIRST_TASK, limitsToShow, nameOf, pointerOf, read, removeLimit, write } from "./new-task.js";

/** The rows of all limits of a task. */
export class Limits {
  #rows = new Map();
  #bySli = new Map();
  #dropped = new Map();
  #box;
  #pattern;
  #fields;
  #changed;

  /** `changed` is called when a limit comes or goes; its fields are bound to `fields`. */
  constructor(box, pattern, fields, changed) {
    this.#box = box;
    this.#pattern = pattern;
    this.#fields = fields;
    this.#changed = changed;
  }

  /** Make the rows anew, for another task. */
  show() {
    this.#fields.release(this.#box);
    this.#box.replaceChildren();
    this.#rows.clear();
    this.#dropped.clear();
    for (const place of limitsToShow(this.#fields.draft.task.slo)) this.#add(place);
  }

  /** Follow the task in what no field shows by itself. */
  follow() {
    for (const { place, row, use, inside, ratio } of this.#rows.values()) {
      const target = read(this.#fields.draft.task, ["slo", ...place]);
      use.checked = target !== undefined;
      inside.hidden = target === undefined;
      ratio.disabled = target?.hard_fail !== true;
      row.classList.toggle("unused", target === undefined);
    }
  }

  /** Learn from the service which SLI each limit is of. */
  learn(slis) {
    this.#bySli = new Map(slis.map(({ sli, pointer }) => [sli, this.#rows.get(pointer)]));
    for (const { sli, unit } of slis) {
      const row = this.#bySli.get(sli);
      if (row !== undefined) row.unit.textContent = unit;
    }
  }

  /** Draw the curves, each with where the example's value is on it. */
  draw(curves, scored) {
    for (const curve of curves) {
      const row = this.#bySli.get(curve.sli);
      if (row === undefined) continue;
      const found = scored.find(({ sli, value }) => sli === curve.sli && value !== null);
      draw(row.svg, curve, found ?? null);
      row.fails.textContent = failsFrom(curve);
    }
  }

  #add(place) {
    const row = this.#pattern.content.firstElementChild.cloneNode(true);
    const find = (selector) => row.querySelector(selector);
    const found = {
      place,
      row,
      use: find("legend input"),
      inside: find(".inside"),
      ratio: find("[data-place=fail_ratio] input"),
      svg: find("svg"),
      fails: find(".fails"),
      unit: find(".unit"),
    };
    find(".name").textContent = nameOf(place);
    this.#rows.set(pointerOf(["slo", ...place]), found);
    this.#box.append(row);
    const where = ["task", "slo", ...place];
    this.#fields.spot(find(".terms"), where);
    this.#fields.bind(row, where);
    found.use.addEventListener("change", () => this.#toggle(place, found.use.checked));
  }

  #toggle(place, isUsed) {
    const { slo } = this.#fields.draft.task;
    const id = pointerOf(place);
    if (isUsed) {
      const first = read(FIRST_TASK.slo, place) ?? {};
      write(slo, place, this.#dropped.get(id) ?? structuredClone(first));
    } else {
      this.#dropped.set(id, read(slo, place));
      removeLimit(slo, place);
    }
    this.#fields.fill();
    this.#changed();
  }
}
