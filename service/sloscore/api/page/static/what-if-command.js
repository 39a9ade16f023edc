// The command that rescores as the page does: one --set for each value that is another one now.

import { root } from "./common.js";

const USUAL_URL = "http://127.0.0.1:8520";
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON?.(value);
const held = (section, key) => (Object.hasOwn(section, key) ? section[key] : undefined);

/** The command; an answer without --set where single values cannot say what has changed. */
export function commandOf(task, before, after) {
  const url = root.href.replace(/\/$/, "");
  const words = ["sloscore rescore", "--task", quoted(task)];
  if (url !== USUAL_URL) words.push("--url", quoted(url));
  const changes = isObject(before ?? {}) && isObject(after) ? changesOf(before ?? {}, after, []) : null;
  if (changes === null || changes.length === 0) return [...words, "--slo slo.json"].join(" ");
  return [...words, ...changes.map((change) => `--set ${quoted(change)}`)].join(" ");
}

/** Texts as PATH=VALUE, null where a path or a value has no such text. */
function changesOf(before, after, place) {
  const found = [];
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [held(before, key) ?? null, held(after, key) ?? null];
    if (JSON.stringify(old) === JSON.stringify(now)) continue;
    const path = [...place, key];
    // The dots of a key would part it, where it is not there already.
    const isClear = key !== "" && !key.includes("=") && (Object.hasOwn(before, key) || !key.includes("."));
    const inner = isObject(now) && Object.keys(now).length > 0 && (old === null || isObject(old));
    const made = inner ? changesOf(old ?? {}, now, path) : valueOf(now, path);
    if (!isClear || made === null) return null;
    found.push(...made);
  }
  return found;
}

function valueOf(now, path) {
  if (Array.isArray(now) || isObject(now)) return null;
  const isPlain = typeof now === "string" && !isJson(now);
  return [`${path.join(".")}=${isPlain ? now : JSON.stringify(now)}`];
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A word of a POSIX shell. */
const quoted = (text) => (/^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
