// What the scripts of all pages share: asking the service, and writing numbers.

/** The service's root, also where a proxy serves it under a prefix. */
export const root = new URL("..", import.meta.url);

/** An answer of the service that is a problem document (RFC 9457). */
export class ProblemError extends Error {
  /** @param {{title?: string, status?: number, detail?: string, errors?: string[], fields?: object[]}} problem */
  constructor(problem) {
    super(problem.detail ?? problem.title ?? "The service gave no reason.");
    this.name = "ProblemError";
    this.status = problem.status ?? 0;
    /** One sentence for each mistake. */
    this.errors = problem.errors ?? [this.message];
    /** Those of a known field of the body: `pointer` leads to it, `detail` says what is wrong. */
    this.fields = problem.fields ?? [];
  }
}

/**
 * The JSON document at a path below the service's root; `body` makes it a POST, `parse` reads the answer.
 * Throws ProblemError for what the service refuses, and where it does not answer (status 0).
 */
export async function ask(path, { body, headers = {}, signal, parse = JSON.parse } = {}) {
  const request = { headers: { Accept: "application/json", ...headers }, signal };
  if (body !== undefined) {
    request.method = "POST";
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  const answer = await reach(new URL(path, root), request);
  const text = await answer.text();
  let found = null;
  try {
    found = parse(text);
  } catch {
    throw new ProblemError({ status: answer.status, detail: `The answer is no JSON: ${text.slice(0, 200)}` });
  }
  if (!answer.ok) throw new ProblemError({ status: answer.status, ...found });
  return found;
}

/** fetch, with the failure of the network as a ProblemError. */
export async function reach(url, request) {
  try {
    return await fetch(url, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ProblemError({ detail: "The service does not answer." });
  }
}

/** A number with four digits, as the pages of the server write it; reports name their infinities. */
export function figure(value) {
  if (value === null || value === undefined) return "no data";
  const number = Number(value);
  if (!Number.isFinite(number)) return number > 0 ? "∞" : "-∞";
  if (number === 0) return "0";
  const exponent = Number(number.toExponential(3).split("e")[1]);
  if (exponent >= -4 && exponent < 4) return String(Number(number.toPrecision(4)));
  const [mantissa, power] = number.toExponential(3).split("e");
  return `${Number(mantissa)}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

/** An element with attributes and children; text stays text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
