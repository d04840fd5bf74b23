/** The parts of a browser that the page's modules need in Node: storage and sockets. */

/** Keys are own properties, as in a browser; methods are not. */
class FakeStorage {
  getItem(key) {
    return this[key] ?? null;
  }
  setItem(key, value) {
    this[key] = String(value);
  }
  removeItem(key) {
    delete this[key];
  }
  clear() {
    for (const key of Object.keys(this)) delete this[key];
  }
}

export function browserStores() {
  const stores = { localStorage: new FakeStorage(), sessionStorage: new FakeStorage() };
  for (const [name, value] of Object.entries(stores)) {
    Object.defineProperty(globalThis, name, { value, configurable: true });
  }
  return stores;
}

/** Replaces `WebSocket`: the test plays the server and reads what was sent. */
export class FakeSocket {
  static all = [];
  sent = [];

  constructor(url) {
    this.url = new URL(url);
    FakeSocket.all.push(this);
  }

  static get last() {
    return FakeSocket.all.at(-1);
  }

  send(data) {
    this.sent.push(JSON.parse(data));
  }

  close() {}

  say(type, content = {}, log = {}) {
    this.onmessage({ data: JSON.stringify({ type, content, ...log }) });
  }

  /** Sent frames of one type. */
  commands(type) {
    return this.sent.filter((frame) => frame.type === type).map((frame) => frame.content);
  }
}
