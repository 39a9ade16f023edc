// What a page has seen of a live experiment since it was opened, drawn over time.

import { figure } from "./common.js";
import { add, label, measure } from "./new-curves.js";

const [LEFT, RIGHT, TOP, BOTTOM] = [62, 312, 20, 90];
const MOST = 600;

/** One series of values over time; at most some hundreds of them, evenly thinned. */
export class Seen {
  #points = [];
  #every = 1;
  #skipped = 0;

  /** `at` in seconds since the page was opened, `value` null where nothing is known. */
  add(at, value) {
    this.#skipped += 1;
    if (this.#skipped < this.#every) return;
    this.#skipped = 0;
    this.#points.push({ at, value });
    if (this.#points.length < MOST) return;
    this.#points = this.#points.filter((_, place) => place % 2 === 0);
    this.#every *= 2;
  }

  /** Draw it; `threshold` may be null, and `isLogarithmic` says how the values are spread. */
  draw(svg, { title, unit, threshold, isLogarithmic }) {
    const known = this.#points.filter(({ value }) => value !== null);
    const finite = known.map(({ value }) => value).filter(Number.isFinite);
    const spread = (value) => (isLogarithmic ? Math.log10(1 + value) : value);
    const most = Math.max(...finite, threshold ?? 0, isLogarithmic ? 1 : 0);
    const top = 1.1 * spread(most) || 1;
    const [first, last] = [this.#points[0].at, Math.max(this.#points.at(-1).at, this.#points[0].at + 1)];
    const x = (at) => LEFT + ((RIGHT - LEFT) * (at - first)) / (last - first);
    const y = (value) => Math.max(TOP, BOTTOM - ((BOTTOM - TOP) * spread(value)) / top);
    const text = (value) => (unit ? measure(value, unit) : figure(value));

    svg.replaceChildren();
    const told = known.length === 0 ? "no data yet" : `${text(known[0].value)} at first, ${text(known.at(-1).value)} now`;
    svg.setAttribute("aria-label", `${title} over ${figure(Math.round(last - first))} s: ${told}.`);
    add(svg, "path", { class: "grid", d: `M${LEFT} ${TOP}V${BOTTOM}H${RIGHT}` });
    for (const value of new Set([0, most])) label(svg, LEFT - 5, y(value) + 4, figure(value), "end");
    label(svg, LEFT, BOTTOM + 15, `${figure(Math.round(last - first))} s ago`, "start");
    label(svg, RIGHT, BOTTOM + 15, "now", "end");
    if (threshold !== null) {
      add(svg, "path", { class: "threshold", d: `M${LEFT} ${y(threshold)}H${RIGHT}` });
      label(svg, RIGHT, TOP - 6, `threshold ${text(threshold)}`, "end");
    }
    add(svg, "path", { class: "seen", d: this.#path(x, y) });
    if (known.length > 0) add(svg, "circle", { class: "mark", cx: x(known.at(-1).at), cy: y(known.at(-1).value), r: 4 });
  }

  /** A line with a gap wherever nothing was known. */
  #path(x, y) {
    let isDown = false;
    return this.#points
      .map(({ at, value }) => {
        if (value === null) {
          isDown = false;
          return "";
        }
        const step = `${isDown ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
        isDown = true;
        return step;
      })
      .join("");
  }
}
