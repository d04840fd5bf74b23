/** Dependencies between the page's modules point one way, and most modules don't use the DOM. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../website_files/static/js", import.meta.url));

/** Folders that the modules in each folder may import from, besides their own; "" is for the pages' entry modules. */
const ALLOWED = {
  core: [],
  transport: ["core"],
  app: ["core", "transport"],
  views: ["core", "transport"],
  desk: ["core", "transport", "app", "views"],
  admin: ["core", "views"],
  status: ["core", "views"],
  "": ["core", "transport", "app", "views", "desk", "admin", "status"],
};

/** Globals that modules in a folder must not use: `core` is pure, and models don't use the DOM. */
const DOM = ["document", "window"];
const BROWSER = ["location", "history", "navigator", "localStorage", "sessionStorage", "fetch", "WebSocket", "EventSource"];
const FORBIDDEN = { core: [...DOM, ...BROWSER], transport: DOM, app: DOM };

const IMPORT = /^(?:import|export) (?:[\w\s{},*]*? from )?"([^"]+)"/gm;

const modules = readdirSync(ROOT, { recursive: true })
  .filter((path) => path.endsWith(".js"))
  .map((path) => ({ path, folder: folderOf(path), source: readFileSync(join(ROOT, path), "utf8") }));

function folderOf(path) {
  return path.includes("/") ? path.split("/")[0] : "";
}

function importsOf({ path, source }) {
  return Array.from(source.matchAll(IMPORT), ([, to]) => relative(ROOT, join(ROOT, dirname(path), to)));
}

/** Imports against the direction, as `from -> to`. */
function wrongWay(modules) {
  return modules.flatMap((module) => {
    const allowed = [module.folder, ...ALLOWED[module.folder]];
    const wrong = importsOf(module).filter((to) => !allowed.includes(folderOf(to)));
    return wrong.map((to) => `${module.path} -> ${to}`);
  });
}

/** Uses of globals that are forbidden in a module's folder, as `path: global`. */
function forbiddenUses(modules) {
  return modules.flatMap(({ path, folder, source }) => {
    const code = source.replace(/\/\*[^]*?\*\/|(?<!:)\/\/.*|"(?:[^"\\\n]|\\.)*"/g, "");
    const uses = (name) => new RegExp(String.raw`(?<![\w.#$])${name}\b(?!\s*:)`).test(code);
    return (FORBIDDEN[folder] ?? []).filter(uses).map((name) => `${path}: ${name}`);
  });
}

test("every module is in a folder with rules", () => {
  assert.ok(modules.length > 50);
  assert.deepEqual(modules.filter(({ folder }) => !(folder in ALLOWED)), []);
});

test("imported modules exist", () => {
  const paths = new Set(modules.map(({ path }) => path));
  const missing = modules.flatMap((module) => importsOf(module).filter((to) => !paths.has(to)));
  assert.deepEqual(missing, []);
});

test("imported names are exported", () => {
  const exports = new Map(modules.map(({ path, source }) => {
    const declared = source.matchAll(/^export (?:async )?(?:function\*?|class|const|let) (\w+)/gm);
    return [path, new Set(Array.from(declared, ([, name]) => name))];
  }));
  const missing = modules.flatMap((module) =>
    Array.from(module.source.matchAll(/^import \{([^}]*)\} from "([^"]+)"/gm)).flatMap(([, names, from]) => {
      const to = relative(ROOT, join(ROOT, dirname(module.path), from));
      const wanted = names.split(",").map((name) => name.trim().split(" as ")[0]).filter(Boolean);
      return wanted.filter((name) => !exports.get(to)?.has(name)).map((name) => `${module.path}: ${name} of ${to}`);
    }));
  assert.deepEqual(missing, []);
});

test("imports point one way", () => {
  assert.deepEqual(wrongWay(modules), []);
});

test("core is pure, and only views and entry modules use the DOM", () => {
  assert.deepEqual(forbiddenUses(modules), []);
});

test("a module that breaks the rules is found", () => {
  const source = 'import { h } from "../views/shared/dom.js";\nimport {\n  tab,\n} from "../transport/storage.js";\ndocument.title = "";';
  const module = { path: "core/plan.js", folder: "core", source };
  assert.deepEqual(wrongWay([module]), [
    "core/plan.js -> views/shared/dom.js", "core/plan.js -> transport/storage.js",
  ]);
  assert.deepEqual(forbiddenUses([module]), ["core/plan.js: document"]);
});

test("folders and modules stay small", () => {
  const sizes = new Map();
  for (const { path } of modules) sizes.set(dirname(path), (sizes.get(dirname(path)) ?? 0) + 1);
  assert.deepEqual([...sizes].filter(([, size]) => size > 20), []);
  assert.deepEqual(modules.filter(({ source }) => source.split("\n").length > 450).map(({ path }) => path), []);
});
