/** The desk's list: its updates, and how it reconnects. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { browserStores } from "./browser.mjs";

browserStores();

/** Replaces `EventSource`: the test plays the server. */
class FakeSource {
  static CLOSED = 2;
  static all = [];
  readyState = 1;
  listeners = {};

  constructor(url) {
    this.url = url;
    FakeSource.all.push(this);
  }

  static get last() {
    return FakeSource.all.at(-1);
  }

  addEventListener(type, listener) {
    this.listeners[type] = listener;
  }

  close() {
    this.readyState = FakeSource.CLOSED;
  }

  say(desk) {
    this.listeners.desk({ data: JSON.stringify(desk) });
  }
}

globalThis.EventSource = FakeSource;
const { DeskFeed } = await import("../../website_files/static/js/desk/desk-feed.js");

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => {
  mock.timers.reset();
  FakeSource.all = [];
});

test("an operator gets the waiting conversations under their name", () => {
  const told = [];
  const feed = new DeskFeed({ changed: () => {}, told: (desk) => told.push(desk), lost: () => {} });
  feed.open("Ann & Bob");
  FakeSource.last.onopen();
  FakeSource.last.say({ operators: ["Ann & Bob"], conversations: [] });

  assert.match(FakeSource.last.url, /\/desk\?name=Ann\+%26\+Bob$/);
  assert.equal(feed.status, "online");
  assert.deepEqual(told, [{ operators: ["Ann & Bob"], conversations: [] }]);
});

test("a lost connection is left to the browser, which reconnects by itself", () => {
  const feed = new DeskFeed({ changed: () => {}, told: () => {}, lost: () => {} });
  feed.open("Ann");
  FakeSource.last.readyState = 0;
  FakeSource.last.onerror();
  mock.timers.tick(60_000);

  assert.deepEqual([feed.status, FakeSource.all.length], ["offline", 1]);
});

test("a response that is not a stream is requested again until the desk is closed", () => {
  const feed = new DeskFeed({ changed: () => {}, told: () => {}, lost: () => {} });
  feed.open("Ann");
  FakeSource.last.readyState = FakeSource.CLOSED;
  FakeSource.last.onerror();
  mock.timers.tick(60_000);
  assert.equal(FakeSource.all.length, 2);

  FakeSource.last.readyState = FakeSource.CLOSED;
  FakeSource.last.onerror();
  feed.close();
  mock.timers.tick(60_000);
  assert.deepEqual([feed.status, FakeSource.all.length], ["idle", 2]);
});
