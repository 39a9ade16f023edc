// The penalty function of an slo section: a name, or a mapping with what the function takes besides.

import { read, write } from "./new-task.js";

const PLACE = ["task", "slo", "penalty"];
// What a piecewise function needs at least; a person moves the points.
const FIRST_POINTS = [[0.1, 1], [0.5, 20]];

/** The select of the function, and the fields that belong to one function only. */
export class Penalty {
  #box;
  #fields;

  /** `changed` is called when a person chooses a function; its fields are bound to `fields`. */
  constructor(box, fields, changed) {
    this.#box = box;
    this.#fields = fields;
    fields.spot(box.querySelector(".field"), PLACE, this.#select);
    this.#select.addEventListener("change", () => {
      write(fields.draft, PLACE, chosen(this.#select.value));
      fields.fill();
      changed();
    });
    // Before the field itself writes: a name becomes a mapping that can hold more.
    box.addEventListener("input", (event) => event.target !== this.#select && this.#widen(), { capture: true });
  }

  /** Follow the task: the function in effect, and the fields that it takes. */
  follow() {
    const penalty = read(this.#fields.draft, PLACE);
    const name = typeof penalty === "string" ? penalty : (penalty?.function ?? "");
    this.#select.value = name;
    for (const box of this.#box.querySelectorAll("[data-function]")) box.hidden = box.dataset.function !== name;
  }

  get #select() {
    return this.#box.querySelector("select");
  }

  #widen() {
    const penalty = read(this.#fields.draft, PLACE);
    if (typeof penalty === "string") write(this.#fields.draft, PLACE, { function: penalty });
  }
}

function chosen(name) {
  if (name === "piecewise") return { function: name, points: structuredClone(FIRST_POINTS) };
  return name === "" ? undefined : name;
}
