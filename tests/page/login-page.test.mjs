/** The way to the login page and back. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { browserStores } from "./browser.mjs";

const stores = browserStores();
const { forgetWayBack, goToLoginPage, keepWayBack, loginAddress, readLoginAddress, wayBack } = await import(
  "../../website_files/static/js/transport/login-page.js"
);

beforeEach(() => Object.values(stores).forEach((store) => store.clear()));

const ORIGIN = "http://chat.example";
const read = (address) => readLoginAddress(new URL(address, ORIGIN));
/** Where the browser gets to from the login page, behind a proxy that has put the server under `base`. */
const back = (address, base = "") => {
  const { origin, pathname, search, hash } = new URL(wayBack(read(address)), `${ORIGIN}${base}/login`);
  assert.equal(origin, ORIGIN);
  return pathname + search + hash;
};

test("the way back leads to the same place, and a fragment stays one", () => {
  for (const place of ["/", "/?session=a%2Fb&role=viewer", "/desk?session=s1", "/#invitation=a_b-c", "/admin", "/?session=s1#x=1&y"]) {
    for (const base of ["", "/chat", "/a/b"]) {
      const address = new URL(loginAddress(new URL(base + place, ORIGIN)), ORIGIN + base + place);
      assert.equal(address.pathname, `${base}/login`);
      assert.equal(back(address, base), base + place);
      assert.ok(!address.search.includes("invitation"));
    }
  }
});

test("nothing leads anywhere but to a page of this server", () => {
  const names = [
    "//evil.example", "/evil.example", "\\\\evil.example", "/\\evil.example", "https://evil.example", "https:evil.example",
    "javascript:alert(1)", "data:text/html,x", "@evil.example", ".evil.example", ":80@evil.example", "desk/../..//evil.example",
    "\t//evil.example", "\n/evil.example", "desk\t//evil.example", "login", "login?back=desk", "api/agent-chat/me", "static/js/chat.js", "%2f%2fevil.example",
    "Desk", "desk#//evil.example", " ",
  ];
  for (const name of names) {
    assert.equal(back(`/login?${new URLSearchParams({ back: name })}`), "/", name);
    keepWayBack({ page: name, fragment: "" });
    assert.equal(back("/login"), "/", name);
    forgetWayBack();
  }
  for (const name of ["?//evil.example", "desk?https://evil.example", "?session=\\\\evil.example\n", "?a@evil.example"]) {
    assert.equal(new URL(back(`/login?${new URLSearchParams({ back: name })}`), ORIGIN).origin, ORIGIN);
  }
});

test("secrets and errors are no part of the way back", () => {
  const { first, error } = read("/login#first=a_b-c");
  assert.deepEqual([first, error, back("/login#first=a_b-c")], ["a_b-c", "", "/"]);
  assert.deepEqual([read("/login#error=oidc_state").error, back("/login?back=desk#error=oidc_state")], ["oidc_state", "/desk"]);
  assert.equal(read("/login#error=<b>").error, "");
});

test("the way back outlives a login at another server", () => {
  keepWayBack(read("/login?back=desk%3Fsession%3Ds1#invitation=x"));
  assert.equal(back("/login#error=oidc_refused"), "/desk?session=s1#invitation=x");
  assert.equal(back("/login"), "/desk?session=s1#invitation=x");
  assert.equal(back("/login?back="), "/");
  forgetWayBack();
  assert.equal(back("/login"), "/");
});

test("the page is left once", () => {
  const left = [];
  globalThis.location = { pathname: "/desk", search: "", hash: "", replace: (address) => left.push(address) };
  goToLoginPage();
  goToLoginPage();
  assert.deepEqual(left, ["./login?back=desk"]);
});
