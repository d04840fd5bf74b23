/** Rich text: its blocks and marks, and that no input breaks it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { inline, parse } from "../../website_files/static/js/core/markdown.js";

const text = (words) => ({ kind: "text", text: words });
const kinds = (source) => parse(source).map((block) => block.kind);

/** All the text of a tree, in order, as a reader sees it. */
function words(node) {
  if (Array.isArray(node)) return node.map(words).join("");
  return node.text ?? words(node.parts ?? node.blocks ?? node.items ?? []);
}

test("an empty line separates paragraphs, a single line break does not", () => {
  assert.deepEqual(parse("one\ntwo\n\nthree").map(words), ["one\ntwo", "three"]);
});

test("headings have a level and need a space", () => {
  assert.deepEqual(parse("## Steps").map(({ kind, level }) => [kind, level]), [["heading", 2]]);
  assert.deepEqual(kinds("#hashtag"), ["paragraph"]);
});

test("a fenced block keeps its text verbatim", () => {
  const [block] = parse("```python\nif a:\n    **b** = '<c>'\n\n```\nafter");

  assert.deepEqual([block.kind, block.language, block.text], ["code", "python", "if a:\n    **b** = '<c>'\n"]);
});

test("an open fence reaches to the end, so a block is code while it is streamed", () => {
  assert.deepEqual(kinds("Look:\n```js\nconst a = 1"), ["paragraph", "code"]);
});

test("a longer fence may contain a shorter one", () => {
  const [block, ...others] = parse("````\n```\ninner\n```\n````");

  assert.equal(block.text, "```\ninner\n```");
  assert.deepEqual(others, []);
});

test("lists nest, keep their start and contain code", () => {
  const [list] = parse("3. one\n   - inner\n4. two\n\n   ```\n   code\n   ```\n5. three");

  assert.deepEqual([list.kind, list.ordered, list.start, list.items.length], ["list", true, 3, 3]);
  assert.deepEqual(list.items[0].map((block) => block.kind), ["paragraph", "list"]);
  assert.deepEqual(list.items[1].map((block) => block.kind), ["paragraph", "code"]);
});

test("a list may follow a paragraph without an empty line", () => {
  assert.deepEqual(kinds("Two things:\n- one\n- two"), ["paragraph", "list"]);
});

test("items with an empty line between them are one list", () => {
  assert.equal(parse("- one\n\n- two\n\n- three")[0].items.length, 3);
});

test("a table has a head, columns and rows as wide as its head", () => {
  const [before, table, after] = parse("Look:\n| City | Rain |\n|:--|--:|\n| **Oslo** | 3 |\n| Bergen |\n| a \\| b | 1 | 2 |\n\nend");

  assert.deepEqual([before.kind, table.kind, after.kind], ["paragraph", "table", "paragraph"]);
  assert.deepEqual(table.align, ["start", "end"]);
  assert.deepEqual(table.head.map(words), ["City", "Rain"]);
  assert.deepEqual(table.rows.map((row) => row.map(words)), [["Oslo", "3"], ["Bergen", ""], ["a | b", "1"]]);
  assert.equal(table.rows[0][0][0].kind, "strong");
});

for (const source of ["a | b\nc | d", "a | b\n---", "| a | b |\n|---|", "no bar\n---|---"]) {
  test(`${JSON.stringify(source)} is not a table`, () => {
    assert.ok(!kinds(source).includes("table"));
  });
}

test("quotes and rules", () => {
  assert.deepEqual(kinds("> wise\n> words\n\n---\n\nend"), ["quote", "rule", "paragraph"]);
});

test("marks within a line", () => {
  assert.deepEqual(inline("a **b** *c* `d` _e_"), [
    text("a "), { kind: "strong", parts: [text("b")] },
    text(" "), { kind: "em", parts: [text("c")] },
    text(" "), { kind: "code", text: "d" },
    text(" "), { kind: "em", parts: [text("e")] },
  ]);
});

test("marks within marks, but none within code", () => {
  assert.deepEqual(inline("**a `b` *c***"), [
    { kind: "strong", parts: [text("a "), { kind: "code", text: "b" }, text(" "), { kind: "em", parts: [text("c")] }] },
  ]);
  assert.deepEqual(inline("`**a**`"), [{ kind: "code", text: "**a**" }]);
});

for (const source of ["2 * 3 * 4", "2*3*4", "snake_case_name", "**open", "a ** b ** c", "`open", "[no](link", "* a *", "__init__"]) {
  test(`${source} is just text`, () => {
    assert.equal(words(inline(source)), source);
    assert.ok(inline(source).every((part) => part.kind === "text"));
  });
}

test("a backslash escapes a mark", () => {
  assert.equal(words(inline(String.raw`\*a\* \`b\``)), "*a* `b`");
});

test("web addresses are links, bare ones too", () => {
  assert.deepEqual(inline("[docs](https://ag2.ai/a_b)"), [{ kind: "link", href: "https://ag2.ai/a_b", parts: [text("docs")] }]);
  assert.deepEqual(inline("See https://ag2.ai/docs."), [
    text("See "), { kind: "link", href: "https://ag2.ai/docs", parts: [text("https://ag2.ai/docs")] }, text("."),
  ]);
});

test("an address may contain brackets", () => {
  assert.equal(inline("[wiki](https://en.wikipedia.org/wiki/A_(b))")[0].href, "https://en.wikipedia.org/wiki/A_(b)");
});

for (const href of ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "//evil.example", "/\\evil.example", "/\t/evil.example", "local", "file:///etc/passwd", "https:// evil", "https://[broken"]) {
  test(`${href} is never a link`, () => {
    assert.ok(inline(`[click](${href})`).every((part) => part.kind !== "link" || /^https?:/.test(part.href)));
    assert.equal(words(inline(`[click](${href})`)), `[click](${href})`);
  });
}

for (const href of ["/api/agent-chat/knowledge/rules", "/api/agent-chat/knowledge/rules%20of%20play?page=2#p3", "mailto:ann@example.org"]) {
  test(`${href} is a link`, () => {
    assert.deepEqual(inline(`see [rules](${href}).`)[1], { kind: "link", href, parts: [text("rules")] });
  });
}

test("a link may have a title, which is not shown", () => {
  assert.deepEqual(inline('[rules](/rules "The rules")'), [{ kind: "link", href: "/rules", parts: [text("rules")] }]);
});

test("an embedded image is shown, a remote one is a link, anything else is text", () => {
  const url = "data:image/png;base64,iVBORw0KGgo=";

  assert.deepEqual(inline(`![a chart](${url})`), [{ kind: "image", url, alt: "a chart" }]);
  assert.deepEqual(inline("![a chart](https://example.org/a.png)").map((part) => part.kind), ["link"]);
  assert.deepEqual(inline("![x](data:text/html;base64,PGI+)").map((part) => part.kind), ["text"]);
});

test("HTML is text", () => {
  const source = '<img src=x onerror="alert(1)"> <b>bold</b> &amp;';

  assert.deepEqual(inline(source), [text(source)]);
});

test("each block knows its source text, so that a finished one can be kept", () => {
  const early = parse("# A\n\nfirst\n\nsec");
  const later = parse("# A\n\nfirst\n\nsecond **bo");

  assert.deepEqual(early.slice(0, 2).map((block) => block.source), later.slice(0, 2).map((block) => block.source));
  assert.notEqual(early[2].source, later[2].source);
});

test("every prefix of a text can be parsed", () => {
  const source = "# T\n\n1. **a** `b`\n   - [c](https://d.e/f)\n\n```py\nx = 1\n```\n> q\n\n---\nend *x*";

  for (let length = 0; length <= source.length; length += 1) assert.ok(Array.isArray(parse(source.slice(0, length))));
});

for (const [name, source] of Object.entries({
  "open bold": "**a ".repeat(50_000),
  "open ticks": "`".repeat(200_000),
  "ticks and words": "`a ".repeat(60_000),
  stars: "*".repeat(200_000),
  brackets: "[".repeat(200_000),
  "open links": "[a](https://a".repeat(15_000),
  "long rows": "| a ".repeat(50_000) + "\n" + "|---".repeat(50_000) + "|",
  "broken columns": "a | b\n" + "|-".repeat(100_000) + "!",
  "many rows": "| a |\n|---|\n" + "| b |\n".repeat(40_000),
  "open titles": '[a](/a "'.repeat(25_000),
  "open images": "![a](data:image/png;base64,AAAA".repeat(10_000),
  addresses: "https://".repeat(25_000),
  "nested lists": "- ".repeat(100_000),
  "nested quotes": "> ".repeat(100_000),
  "deep lists": Array.from({ length: 400 }, (_, depth) => " ".repeat(depth * 2) + "- a").join("\n"),
  "empty lines": "\n".repeat(200_000),
  "one long word": "a".repeat(200_000),
  underscores: "_a".repeat(100_000),
  "open fences": "```\n~~~\n".repeat(25_000),
})) {
  test(`${name}, very many, are parsed quickly`, () => {
    const begin = process.cpuUsage();
    parse(source);

    const { user, system } = process.cpuUsage(begin); // µs of this process, however busy the machine is
    assert.ok(user + system < 3_000_000, `took ${user + system} µs`);
  });
}
