/** Changes an element into another one in place, so that selections, focus and open things in it survive. */

/**
 * Makes the children of `element`, but for the first `same`, like `wanted`. What is equal stays; a text that has grown is appended to. Elements
 * with `data-kept` belong to the reader, such as buttons, and are left alone.
 */
export function patchChildren(element, wanted, same = 0) {
  const old = [...element.childNodes].slice(same);
  wanted.forEach((node, place) => {
    if (place >= old.length) element.append(node);
    else patch(old[place], node);
  });
  for (const node of old.slice(wanted.length)) node.remove();
}

function patch(old, wanted) {
  if (old.nodeType === Node.TEXT_NODE && wanted.nodeType === Node.TEXT_NODE) return patchText(old, wanted.data);
  if (old.nodeName !== wanted.nodeName || old.nodeType !== Node.ELEMENT_NODE) return old.replaceWith(wanted);
  if (old.dataset.kept !== undefined || wanted.dataset.kept !== undefined) {
    return old.dataset.kept === wanted.dataset.kept ? undefined : old.replaceWith(wanted);
  }
  if (old.isEqualNode(wanted)) return undefined;
  for (const { name } of [...old.attributes]) if (!wanted.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of wanted.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  return patchChildren(old, [...wanted.childNodes]);
}

function patchText(old, data) {
  if (data.startsWith(old.data)) old.appendData(data.slice(old.data.length));
  else old.data = data;
}

/** Whether something is selected, or null if that has changed since: browsers lay out the page to say so. */
let isSelected = null;
globalThis.document?.addEventListener("selectionchange", () => (isSelected = null));

/** Runs `act`, which changes the content of `element`, and selects again what was selected in it. */
export function keepSelection(element, act) {
  const selection = document.getSelection();
  isSelected ??= !selection.isCollapsed;
  if (!isSelected) return act();
  const { anchorNode, anchorOffset, focusNode, focusOffset } = selection;
  if (selection.isCollapsed || !element.contains(anchorNode) || !element.contains(focusNode)) return act();
  const anchor = lengthTo(element, anchorNode, anchorOffset);
  const focus = lengthTo(element, focusNode, focusOffset);
  const selected = selection.toString();
  act();
  if (anchorNode.isConnected && focusNode.isConnected && selection.toString() === selected) return undefined;
  const ends = [placeAt(element, anchor), placeAt(element, focus)];
  return selection.setBaseAndExtent(...ends[0], ...ends[1]);
}

/** The length of the text in `element` up to a place. */
function lengthTo(element, node, offset) {
  const range = document.createRange();
  range.setStart(element, 0);
  range.setEnd(node, offset);
  return range.toString().length;
}

/** The text node, and the offset in it, after so much of the text in `element`. */
function placeAt(element, length) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let left = length;
  let last = null;
  while (walker.nextNode()) {
    last = walker.currentNode;
    if (left <= last.length) return [last, left];
    left -= last.length;
  }
  return last ? [last, last.length] : [element, 0];
}
