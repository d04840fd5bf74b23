/** Invitations in the page's address, and words about who may see a conversation. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { chatAddress, deskPageAddress, invitationLink, pathHere, takeInvitation } from "../../website_files/static/js/transport/page-address.js";
import { socketAddress } from "../../website_files/static/js/transport/rest-api.js";
import { isOwner, ownMembership, rights, sharedBy, userName } from "../../website_files/static/js/views/sharing/rights.js";

const ADA = { id: "u-1", name: "Ada" };
const sharing = { you: "u-2", owner: ADA, members: [{ id: "u-2", name: "Bob", role: "viewer", expires: "" }] };

test("the secret of an invitation leaves the address", () => {
  const shown = [];
  globalThis.history = { replaceState: (...[, , address]) => shown.push(address) };

  assert.equal(takeInvitation({ pathname: "/", search: "?session=s", hash: "#invitation=a-b_c" }), "a-b_c");
  assert.equal(takeInvitation({ pathname: "/", search: "", hash: "#invitation=" }), "");
  assert.deepEqual(shown, ["/?session=s", "/"]);
});

test("addresses stay where the page was loaded from", () => {
  const href = "https://example.org:9443/chat/desk?session=s1#x";
  const at = (address) => new URL(address, href).href;

  assert.equal(at(chatAddress(null)), "https://example.org:9443/chat/");
  assert.equal(at(chatAddress("a/b")), "https://example.org:9443/chat/?session=a%2Fb");
  assert.equal(at(deskPageAddress("s2")), "https://example.org:9443/chat/desk?session=s2");
  assert.equal(at(pathHere("/api/agent-chat/knowledge/a.md")), "https://example.org:9443/chat/api/agent-chat/knowledge/a.md");
  assert.equal(invitationLink("s1", "viewer", { href }), "https://example.org:9443/chat/?session=s1&role=viewer");
  assert.equal(socketAddress({ href }), "wss://example.org:9443/chat/ws");
  assert.equal(socketAddress({ href: "http://[::1]:8001/?session=s" }), "ws://[::1]:8001/ws");
});

test("other fragments stay", () => {
  globalThis.history = { replaceState: () => assert.fail() };

  assert.equal(takeInvitation({ pathname: "/", search: "", hash: "#message" }), "");
  assert.equal(takeInvitation({ pathname: "/", search: "", hash: "" }), "");
});

test("rights are told in words", () => {
  assert.equal(rights({ role: "member", expires: "" }), "Can take part");
  assert.match(rights({ role: "viewer", expires: "2030-01-02T12:00:00.000Z" }), /^Can only read · until .*2/);
  assert.equal(sharedBy(ADA, ownMembership(sharing)), "Ada lets you read this conversation.");
  assert.equal(userName({ name: "" }), "Somebody who has left");
});

test("who is who", () => {
  assert.deepEqual([isOwner(sharing), isOwner({ ...sharing, you: "u-1" })], [false, true]);
  assert.equal(ownMembership({ ...sharing, you: "u-1" }), undefined);
});
