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

  beat(interval) {
    this.listeners.heartbeat({ data: JSON.stringify({ type: "heartbeat", content: { interval } }) });
  }
}

globalThis.EventSource = FakeSource;
const { DeskFeed } = await import("../../website_files/static/js/desk/desk-feed.js");

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
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

function opened() {
  const feed = new DeskFeed({ changed: () => {}, told: () => {}, lost: () => {} });
  feed.open("Ann");
  FakeSource.last.onopen();
  return feed;
}

test("a lost stream, or a response that is none, is requested again until the desk is closed", () => {
  const feed = opened();
  FakeSource.last.onerror();
  assert.equal(feed.status, "offline");
  mock.timers.tick(750);
  assert.equal(FakeSource.all.length, 2);

  FakeSource.last.onerror();
  feed.close();
  mock.timers.tick(60_000);
  assert.deepEqual([feed.status, FakeSource.all.length], ["idle", 2]);
});

test("a request that gets no answer is sent again", () => {
  const feed = new DeskFeed({ changed: () => {}, told: () => {}, lost: () => {} });
  feed.open("Ann");
  mock.timers.tick(10_000);
  mock.timers.tick(750);

  assert.deepEqual([feed.status, FakeSource.all.length, FakeSource.all[0].readyState], ["offline", 2, FakeSource.CLOSED]);
});

test("silence for more than two heartbeats means that the stream is dead", () => {
  const feed = opened();
  FakeSource.last.beat(20);
  mock.timers.tick(30_000);
  FakeSource.last.say({ operators: [], conversations: [] });
  mock.timers.tick(44_999);
  assert.equal(feed.status, "online");

  mock.timers.tick(1);
  assert.equal(feed.status, "offline");
  mock.timers.tick(750);
  assert.equal(FakeSource.all.length, 2);
});

test("a tab that comes back does not wait for the second heartbeat", () => {
  const feed = opened();
  FakeSource.last.beat(20);
  mock.timers.setTime(24_000); // without running timers, as in a tab that was suspended
  feed.woken();
  assert.equal(FakeSource.all.length, 1);

  mock.timers.setTime(26_000);
  feed.woken();
  assert.deepEqual([feed.status, FakeSource.all.length], ["connecting", 2]);
});
