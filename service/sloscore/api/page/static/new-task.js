// A task as the form edits it: a plain document, of which only what a person changes is changed.

/** What a new task says: the limits of the scoring contract's own example. */
export const FIRST_TASK = {
  task_name: "my-slo-aware-task",
  optimization: { strategy: "grid_search", objective: "minimize_latency" },
  slo: {
    latency: {
      p50: { threshold: 2.0, weight: 1.0, hard_fail: false },
      p90: { threshold: 5.0, weight: 2.0, hard_fail: true, fail_ratio: 0.2 },
      p99: { threshold: 10.0, weight: 3.0, hard_fail: true, fail_ratio: 0.5 },
    },
    ttft: { threshold: 1.0, weight: 2.0, hard_fail: false },
    tpot: { threshold: 0.05, weight: 2.0, hard_fail: false },
    steepness: 0.1,
  },
};

/** What the example scores at first: the contract's scenario of several violations. */
export const FIRST_VALUES = { latency_p50: 2.3, latency_p90: 5.5, latency_p99: 11.0, ttft: 1.2, tpot: 0.05 };

const USUAL = [["latency", "p50"], ["latency", "p90"], ["latency", "p99"], ["ttft"], ["tpot"]];
const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON?.(value);

/** A place as a JSON pointer (RFC 6901), and the other way round. */
export const pointerOf = (place) => place.map((key) => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
export const placeOf = (pointer) => pointer.split("/").slice(1).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));

/** The value at a place (a list of keys), undefined where there is none. */
export function read(document, place) {
  return place.reduce((inner, key) => (isObject(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined), document);
}

/** Set the value at a place, with what has to be around it; undefined takes it away. */
export function write(document, place, value) {
  const [key, ...rest] = place;
  if (rest.length > 0) {
    const inner = isObject(read(document, [key])) ? document[key] : {};
    write(inner, rest, value);
    value = inner;
  }
  if (value === undefined) delete document[key];
  else Object.defineProperty(document, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Take a limit out of an slo section, and the section of its signal where that was the last one. */
export function removeLimit(slo, place) {
  write(slo, place, undefined);
  if (Object.keys(slo[place[0]] ?? { kept: true }).length === 0) delete slo[place[0]];
}

/** The places of the limits that an slo section holds, whatever their signal is called. */
export function limitsIn(slo) {
  return Object.entries(slo ?? {}).flatMap(([signal, section]) => {
    if (!isObject(section)) return [];
    if (Object.hasOwn(section, "threshold")) return [[signal]];
    const inner = Object.entries(section).filter(([, target]) => isObject(target) && Object.hasOwn(target, "threshold"));
    return inner.map(([statistic]) => [signal, statistic]);
  });
}

/** The limits that the form shows: the usual ones, but in the form that the task has, and all others. */
export function limitsToShow(slo) {
  const held = limitsIn(slo);
  const usual = USUAL.filter((place) => place.length > 1 || held.every(([signal, statistic]) => signal !== place[0] || !statistic));
  const shown = new Set(usual.map(pointerOf));
  return [...usual, ...held.filter((place) => !shown.has(pointerOf(place)))];
}

/** A limit as a person calls it. */
export function nameOf([signal, statistic]) {
  const name = signal.length <= 4 ? signal.toUpperCase() : signal.replaceAll("_", " ");
  if (statistic === undefined) return name;
  if (/^p\d/.test(statistic)) return `${statistic.toUpperCase()} of ${name}`;
  return `${name}: ${statistic.replaceAll("_", " ").replace("gpu", "GPU")}`;
}

/** What a person wrote as a value: a number where it is one, nothing where it is empty, else text. */
export function valueOf(text) {
  const bare = text.trim();
  if (bare === "") return undefined;
  return NUMBER.test(bare) && Number.isFinite(Number(bare)) ? Number(bare) : bare;
}

/** A value as a field shows it. */
export function textOf(value) {
  if (value === undefined || value === null) return "";
  if (JSON.isRawJSON?.(value)) return value.rawJSON;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** JSON whose numbers are written again as they were, where the browser can tell how that was. */
export function parseExactly(text) {
  return JSON.parse(text, (_, value, context) => {
    const source = context?.source;
    const changed = typeof value === "number" && source !== undefined && String(value) !== source;
    return changed && JSON.rawJSON ? JSON.rawJSON(source) : value;
  });
}

/** The task as a file holds it. */
export const fileOf = (task) => `${JSON.stringify(task, null, 2)}\n`;
