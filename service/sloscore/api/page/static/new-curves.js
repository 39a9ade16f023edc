// The penalty of one SLI by its value, drawn as SVG. Every number comes from the service.

import { figure } from "./common.js";

const SVG = "http://www.w3.org/2000/svg";
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 312, 20, 138];

/** A number with one decimal at least: "6.0 s" is a measure, and "6" could be a count; a share in per cent. */
export function measure(value, unit) {
  if (unit === "ratio") return `${figure(100 * value)}%`;
  const text = figure(value);
  return `${/^-?\d+$/.test(text) ? `${text}.0` : text} ${unit}`;
}

/** Where the experiment fails, in words. */
export function failsFrom({ hard_limit: limit, unit, is_minimum: isMinimum }) {
  if (limit === null) return "soft: no value fails";
  return `hard fail from ${measure(limit, unit)}${isMinimum ? " down" : ""}`;
}

/** Draw a curve; `mark` is a value with its penalty, or null. */
export function draw(svg, curve, mark) {
  const { points, threshold, hard_limit: limit, is_minimum: isMinimum, title, unit } = curve;
  const [first, last] = [points[0].value, points.at(-1).value];
  const costs = points.map(({ penalty }) => Number(penalty)).filter(Number.isFinite);
  const top = Math.max(1, 1.05 * Math.log10(1 + Math.max(...costs)));
  const x = (value) => LEFT + ((RIGHT - LEFT) * (value - first)) / (last - first);
  const y = (penalty) => Math.max(TOP, BOTTOM - ((BOTTOM - TOP) * Math.log10(1 + Number(penalty))) / top);

  svg.replaceChildren();
  const words = isMinimum ? "at or above" : "at or under";
  const told = [`0 ${words} ${measure(threshold, unit)}`, ...costsIn(curve), failsFrom(curve)];
  svg.setAttribute("aria-label", `Penalty of ${title}: ${told.join(", ")}.`);
  if (limit !== null && limit >= first && limit <= last) {
    const [from, to] = isMinimum ? [LEFT, x(limit)] : [x(limit), RIGHT];
    add(svg, "rect", { class: "fails", x: from, y: TOP, width: Math.max(0, to - from), height: BOTTOM - TOP });
    add(svg, "line", { class: "limit", x1: x(limit), x2: x(limit), y1: TOP, y2: BOTTOM });
    label(svg, x(limit), TOP - 6, `hard fail ${measure(limit, unit)}`);
  }
  label(svg, LEFT, TOP - 6, "penalty", "end");
  for (const tick of ticksOn(y)) {
    add(svg, "line", { class: "grid", x1: LEFT, x2: RIGHT, y1: y(tick), y2: y(tick) });
    label(svg, LEFT - 5, y(tick) + 4, tick < 1e5 ? String(tick) : tick.toExponential(0).replace("+", ""), "end");
  }
  add(svg, "line", { class: "threshold", x1: x(threshold), x2: x(threshold), y1: TOP, y2: BOTTOM });
  label(svg, x(threshold), BOTTOM + 14, measure(threshold, unit));
  label(svg, x(threshold), BOTTOM + 27, isMinimum ? "minimum" : "threshold");
  const path = points.map(({ value, penalty }, at) => `${at ? "L" : "M"}${x(value).toFixed(1)} ${y(penalty).toFixed(1)}`);
  add(svg, "path", { class: "curve", d: path.join("") });
  if (mark === null) return;
  if (mark.value >= first && mark.value <= last) {
    add(svg, "circle", { class: "mark", cx: x(mark.value), cy: y(mark.penalty), r: 5 });
  } else {
    // Past an end of the axis: an arrow says on which side.
    const isRight = mark.value > last;
    const [tip, back] = isRight ? [RIGHT, RIGHT - 9] : [LEFT, LEFT + 9];
    const height = isRight === isMinimum ? BOTTOM : TOP + 6;
    add(svg, "path", { class: "mark", d: `M${tip} ${height}L${back} ${height - 6}V${height + 6}Z` });
    label(svg, tip, height === BOTTOM ? BOTTOM - 10 : TOP + 24, measure(mark.value, unit), isRight ? "end" : "start");
  }
}

/** What a violation costs at least and, where there is one, at the hard limit, in words. */
function costsIn({ points, threshold, hard_limit: limit, is_minimum: isMinimum }) {
  const violated = points.filter(({ value }) => (isMinimum ? value < threshold : value > threshold));
  const least = isMinimum ? violated.at(-1) : violated[0];
  // Without a jump the least is the penalty of a rounding step.
  const told = [Number(least.penalty) < 1e-9 ? "rising past it" : `${figure(least.penalty)} or more past it`];
  const failing = points.find(({ value }) => value === limit);
  if (failing) told.push(`${figure(failing.penalty)} at the hard limit`);
  return told;
}

/** Penalties to mark on the axis: 0 and powers of ten, but none too close to the one before. */
function ticksOn(y) {
  const kept = [0];
  for (let tick = 1; y(tick) > TOP; tick *= 10) if (y(kept.at(-1)) - y(tick) > 12) kept.push(tick);
  return kept;
}

/** A text of a drawing, held inside of it. */
export function label(svg, x, y, text, anchor = "middle") {
  const held = Math.min(Math.max(x, 50), 270);
  add(svg, "text", { x: anchor === "middle" ? held : x, y, "text-anchor": anchor }).textContent = text;
}

/** A shape of a drawing. */
export function add(svg, name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  svg.append(made);
  return made;
}
