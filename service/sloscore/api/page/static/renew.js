// Makes an element like a fresh one, and leaves alone what is the same: focus and selection stay where they are.

// What somebody opened stays open, what somebody shut stays shut.
const KEPT = new Set(["open", "data-shut"]);

/** Make `old` like `fresh`, whose nodes may be taken. */
export function renew(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (!isAlike(old, fresh)) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  renewAttributes(old, fresh);
  renewChildren(old, fresh);
}

function isAlike(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && old.id === fresh.id;
}

function renewAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function renewChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  const kept = new Set(wanted.map((node) => node.id).filter(Boolean));
  const known = new Map();
  for (const child of [...old.childNodes]) {
    if (child.id && kept.has(child.id)) known.set(child.id, child);
    else if (child.id) child.remove();
  }
  let place = old.firstChild;
  for (const node of wanted) {
    const same = node.id ? known.get(node.id) : place;
    if (same && same === place && isAlike(same, node)) {
      place = place.nextSibling;
      renew(same, node);
    } else if (node.id && same && isAlike(same, node)) {
      old.insertBefore(same, place);
      renew(same, node);
    } else {
      old.insertBefore(node, place);
    }
  }
  while (place) {
    const following = place.nextSibling;
    place.remove();
    place = following;
  }
}
