/** The connection: when it dials, waits and gives up, and for how long. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { backoff } from "../../website_files/static/js/core/backoff.js";
import { Connection } from "../../website_files/static/js/transport/connection.js";

/** A network whose clock and sockets the test controls. */
class Network {
  now = 0;
  sockets = [];
  frames = [];
  statuses = [];
  losses = 0;
  #timers = new Set();

  connection = new Connection(
    () => "ws://server/",
    { frame: (frame) => this.frames.push(frame), status: (status) => this.statuses.push(status), lost: () => (this.losses += 1) },
    {
      dial: (url) => this.#dial(url),
      setTimeout: (run, ms) => this.#set(run, ms),
      clearTimeout: (timer) => this.#timers.delete(timer),
      now: () => this.now,
      random: () => 0.5,
    },
  );

  get socket() {
    return this.sockets.at(-1);
  }

  pass(ms) {
    const end = this.now + ms;
    for (let timer; (timer = this.#next(end)); ) {
      this.#timers.delete(timer);
      this.now = Math.max(this.now, timer.at);
      timer.run();
    }
    this.now = end;
  }

  confirm(content = {}) {
    this.say({ type: "connection_confirmed", content });
  }

  say(frame) {
    this.socket.onmessage({ data: JSON.stringify(frame) });
  }

  hangUp(code = 1006) {
    this.socket.onclose({ code });
  }

  #dial(url) {
    const socket = { url, sent: [], isClosed: false, send: (data) => socket.sent.push(JSON.parse(data)), close: () => (socket.isClosed = true) };
    this.sockets.push(socket);
    return socket;
  }

  #set(run, ms) {
    const timer = { at: this.now + ms, run };
    this.#timers.add(timer);
    return timer;
  }

  #next(end) {
    return [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
  }
}

function online(content = {}) {
  const network = new Network();
  network.connection.open();
  network.confirm(content);
  return network;
}

test("delays grow, are bounded, and differ between pages", () => {
  assert.deepEqual([0, 1, 2, 3].map((tries) => backoff(tries, () => 0.5)), [500, 1000, 2000, 4000]);
  assert.equal(backoff(1000, () => 0.5), 30_000);
  assert.deepEqual([backoff(0, () => 0), backoff(0, () => 0.999)], [250, 749.5]);
});

test("it is online once the server has confirmed, not before", () => {
  const network = new Network();

  network.connection.open();
  assert.equal(network.connection.status, "connecting");

  network.confirm();
  assert.equal(network.connection.status, "online");
});

test("a lost connection reconnects by itself, with growing delays", () => {
  const network = online();

  network.hangUp(1001);
  assert.equal(network.connection.status, "offline");
  network.pass(500);
  assert.equal(network.sockets.length, 2);
  assert.equal(network.connection.status, "offline");
  network.hangUp();
  network.pass(999);
  assert.equal(network.sockets.length, 2);
  network.pass(1);
  assert.equal(network.sockets.length, 3);
});

test("a confirmed connection resets the delay", () => {
  const network = online();
  for (let tries = 0; tries < 5; tries += 1) {
    network.hangUp();
    network.pass(30_000);
  }

  network.confirm();
  network.hangUp();
  const before = network.sockets.length;
  network.pass(500);

  assert.equal(network.sockets.length, before + 1);
});

test("a refused connection does not dial again until told to", () => {
  const network = new Network();
  network.connection.open();

  network.hangUp(1008);
  network.pass(600_000);
  assert.equal(network.connection.status, "refused");
  assert.equal(network.sockets.length, 1);

  network.connection.open();
  assert.equal(network.sockets.length, 2);
});

test("a permanent error before the confirmation is a refusal too", () => {
  const network = new Network();
  network.connection.open();

  network.say({ type: "error", content: { code: "agent_unavailable", message: "No.", retryable: false } });
  network.hangUp(1011);

  assert.equal(network.connection.status, "refused");
  assert.equal(network.frames.length, 1);
});

test("every loss and every failed attempt is told, but not the end that was asked for", () => {
  const network = online();
  network.hangUp();
  network.pass(500);
  network.hangUp();
  network.pass(1000);
  network.hangUp(1008);
  assert.equal(network.losses, 3);

  network.connection.open();
  network.connection.close();
  assert.equal(network.losses, 3);
});

test("an unanswered dial is retried", () => {
  const network = new Network();
  network.connection.open();

  network.pass(10_500);

  assert.equal(network.sockets.length, 2);
  assert.equal(network.sockets[0].isClosed, true);
});

test("frames from an abandoned socket are ignored", () => {
  const network = online();
  const [old] = network.sockets;

  network.connection.open();
  old.onmessage({ data: '{"type": "text"}' });
  old.onclose({ code: 1008 });

  assert.equal(network.frames.length, 1);
  assert.equal(network.connection.status, "connecting");
});

test("silence after something was sent means that the server is gone", () => {
  const network = online();

  assert.equal(network.connection.send({ type: "message" }), true);
  network.pass(15_000);

  assert.equal(network.sockets.length, 2);
});

test("frames without a response wait for none", () => {
  const network = online();

  network.connection.send({ type: "typing" }, { isAnswered: false });
  network.pass(60_000);

  assert.equal(network.sockets.length, 1);
});

test("any frame counts as a response", () => {
  const network = online();

  network.connection.send({ type: "message" });
  network.say({ type: "user_message", seq: 1 });
  network.pass(60_000);

  assert.equal(network.sockets.length, 1);
});

test("nothing is sent without a connection", () => {
  const network = new Network();

  assert.equal(network.connection.send({ type: "message" }), false);
});

test("it reacts to the browser's network", () => {
  const network = online();

  network.connection.networkLost();
  assert.equal(network.connection.status, "offline");
  network.connection.networkFound();
  network.confirm();

  assert.equal(network.connection.status, "online");
  assert.equal(network.sockets.length, 2);
});

test("after the computer has slept, the socket is not trusted", () => {
  const network = online();

  network.now += 3_600_000;
  network.pass(10_500);

  assert.equal(network.sockets.length, 2);
});

test("without heartbeats, silence alone says nothing", () => {
  const network = online({ heartbeat: 0 });

  network.pass(3_600_000);

  assert.equal(network.sockets.length, 1);
});

test("silence for more than two heartbeats means that the connection is lost", () => {
  const network = online({ heartbeat: 20 });

  network.pass(40_000);
  network.say({ type: "heartbeat", content: { interval: 20 } });
  network.pass(44_999);
  assert.equal(network.connection.status, "online");
  assert.equal(network.frames.length, 1); // heartbeats are nobody else's business

  network.pass(1);
  assert.equal(network.connection.status, "offline");
  assert.equal(network.socket.isClosed, true);
  assert.equal(network.losses, 1);
  network.pass(500);
  assert.equal(network.sockets.length, 2);
});

test("while nothing can be reached, it goes on dialling", () => {
  const network = online({ heartbeat: 20 });
  network.pass(120_000); // each attempt is left after ten seconds

  assert.ok(network.sockets.length > 3);

  while (network.socket.isClosed) network.pass(100);
  network.confirm({ heartbeat: 20 });
  network.pass(40_000);

  assert.equal(network.connection.status, "online");
});

test("a tab that comes back does not trust a socket from which a heartbeat is missing", () => {
  const network = online({ heartbeat: 20 });
  network.now += 24_000; // without running timers, as in a tab that was suspended
  network.connection.woken();
  assert.equal(network.sockets.length, 1);

  network.now += 2_000;
  network.connection.woken();
  assert.equal(network.sockets.length, 2);
  assert.equal(network.connection.status, "connecting");
});

test("a tab that comes back does not wait for the next attempt", () => {
  const network = online();
  network.hangUp(1000);

  network.connection.woken();

  assert.equal(network.sockets.length, 2);
});

test("a closed connection stays closed", () => {
  const network = online();

  network.connection.close();
  network.pass(600_000);

  assert.equal(network.connection.status, "idle");
  assert.equal(network.sockets.length, 1);
});

test("frames that are not JSON objects with a type are skipped", () => {
  const network = online();

  for (const data of ["", "null", "[]", "{}", "{oops", '"text"']) network.socket.onmessage({ data });

  assert.equal(network.frames.length, 1);
});
