// Fields bound to places in a document, with what is wrong beside them.

import { element } from "./common.js";
import { placeOf, pointerOf, read, textOf, valueOf, write } from "./new-task.js";

let ids = 0;

/** How a control's text and the value in the document are made of each other. */
const KINDS = {
  number: { get: (control) => valueOf(control.value), set: (control, value) => (control.value = textOf(value)) },
  text: { get: (control) => control.value || undefined, set: (control, value) => (control.value = textOf(value)) },
  check: { get: (control) => control.checked, set: (control, value) => (control.checked = value === true) },
  choice: { get: (control) => control.value || undefined, set: choose },
  labels: { get: (control) => labelsOf(control.value), set: (control, value) => (control.value = linesOf(value)) },
  pairs: { get: (control) => pairsOf(control.value), set: (control, value) => (control.value = linesOfPairs(value)) },
};

function kindOf(control, { kind }) {
  if (kind !== undefined) return KINDS[kind];
  if (control.type === "checkbox") return KINDS.check;
  if (control.tagName === "SELECT") return KINDS.choice;
  return control.inputMode === "decimal" ? KINDS.number : KINDS.text;
}

/** A value that is none of the options, as an imported one may be, becomes one. */
function choose(control, value) {
  const text = textOf(value);
  if (![...control.options].some((option) => option.value === text)) control.append(new Option(text, text));
  control.value = text;
}

function labelsOf(text) {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const pairs = lines.map((line) => {
    const [label, ...value] = line.split("=");
    return [label.trim(), value.join("=").trim()];
  });
  return pairs.length > 0 ? Object.fromEntries(pairs) : undefined;
}

const pairsOf = (text) => text.split("\n").filter((line) => line.trim() !== "").map((line) => line.split(":").map(valueOf));

function linesOfPairs(value) {
  const lines = Array.isArray(value) ? value : [];
  return lines.map((pair) => (Array.isArray(pair) ? pair.map(textOf).join(": ") : textOf(pair))).join("\n");
}

const linesOf = (labels) => Object.entries(labels ?? {}).map(([label, value]) => `${label}=${textOf(value)}`).join("\n");

/** The fields of one draft, a document that a person edits. */
export class Fields {
  #fields = [];
  #spots = new Map();
  #changed;

  /** `changed` is called with the place of what a person changed in the draft. */
  constructor(draft, changed) {
    this.draft = draft;
    this.#changed = changed;
  }

  /** Bind every field in an element; their places are below `prefix` in the draft. */
  bind(root, prefix = []) {
    for (const box of root.querySelectorAll("[data-place]")) {
      const place = [...prefix, ...box.dataset.place.split(".")];
      if (box.classList.contains("field")) this.bindField(box, place);
      else this.spot(box, place);
    }
  }

  /** Let mistakes at a place, and below it where nothing is nearer, stand in an element's error. */
  spot(box, place, control = null) {
    const error = box.querySelector(":scope > .error");
    error.id = `error-${(ids += 1)}`;
    this.#spots.set(pointerOf(place), { error, control });
  }

  /** Forget all fields in an element that will be taken away. */
  release(root) {
    this.#fields = this.#fields.filter(({ control }) => !root.contains(control));
    for (const [pointer, { error }] of this.#spots) if (root.contains(error)) this.#spots.delete(pointer);
  }

  /** Show what the draft holds. */
  fill() {
    for (const { control, place, kind } of this.#fields) kind.set(control, read(this.draft, place));
  }

  /** Show in empty fields what is in effect without them. */
  hint(effective) {
    for (const { control, place, kind } of this.#fields) {
      const text = textOf(read(effective, place));
      if (kind === KINDS.number) control.placeholder = text;
      if (kind === KINDS.choice && text) control.options[0].text = `not given: ${text}`;
    }
  }

  /** Put mistakes (a pointer and what is wrong there) beside their fields; gives those without one. */
  blame(mistakes) {
    for (const { error, control } of this.#spots.values()) {
      error.hidden = true;
      error.replaceChildren();
      control?.removeAttribute("aria-invalid");
      control?.removeAttribute("aria-describedby");
    }
    const elsewhere = [];
    for (const { pointer, detail } of mistakes) {
      const [spot, below] = this.#nearest(pointer);
      const sentence = below ? `${below}: ${detail}` : detail;
      if (spot === undefined) {
        elsewhere.push(sentence);
        continue;
      }
      spot.error.append(element("span", {}, sentence));
      spot.error.hidden = false;
      spot.control?.setAttribute("aria-invalid", "true");
      spot.control?.setAttribute("aria-describedby", spot.error.id);
    }
    return elsewhere;
  }

  /** Bind one field to a place, whatever it says itself. */
  bindField(box, place) {
    const control = box.querySelector("input, select, textarea");
    const kind = kindOf(control, box.dataset);
    this.#fields.push({ control, place, kind });
    this.spot(box, place, control);
    control.addEventListener("input", () => {
      write(this.draft, place, kind.get(control));
      this.#changed(place);
    });
  }

  /** The spot of a place or of the nearest around it, and what of the place lies below that. */
  #nearest(pointer) {
    const place = placeOf(pointer);
    for (let length = place.length; length > 0; length -= 1) {
      const spot = this.#spots.get(pointerOf(place.slice(0, length)));
      if (spot !== undefined) return [spot, place.slice(length).join(".")];
    }
    return [undefined, place.join(".")];
  }
}
