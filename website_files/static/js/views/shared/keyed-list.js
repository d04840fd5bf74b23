/**
 * Keeps the children of an element in sync with a list, by key. A child whose item is the same object is left alone,
 * and one that stays is never moved or rebuilt, so that focus, selection and opened details survive.
 */
export class KeyedList {
  #container;
  #create;
  #children = new Map(); // key → { view, item }

  /** @param {(item: {key: string}) => {element: Element, update(item: object): void}} create */
  constructor(container, create) {
    this.#container = container;
    this.#create = create;
  }

  update(items) {
    this.#removeOthers(new Set(items.map((item) => item.key)));
    let place = this.#container.firstElementChild;
    for (const item of items) {
      const { element } = this.#show(item);
      if (element === place) place = place.nextElementSibling;
      else this.#container.insertBefore(element, place);
    }
  }

  view(key) {
    return this.#children.get(key)?.view;
  }

  #removeOthers(keys) {
    for (const [key, { view }] of this.#children) {
      if (keys.has(key)) continue;
      view.element.remove();
      this.#children.delete(key);
    }
  }

  #show(item) {
    const child = this.#children.get(item.key) ?? { view: this.#create(item), item: null };
    this.#children.set(item.key, child);
    if (child.item !== item) child.view.update(item);
    child.item = item;
    return child.view;
  }
}
