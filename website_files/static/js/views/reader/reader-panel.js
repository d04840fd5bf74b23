/** A file beside the conversation, with its versions; on narrow screens it covers everything. */

import { bytes, dayAndTime, displayName, fullTime } from "../../core/format.js";
import { kindOf } from "../../core/file-kinds.js";
import { t } from "../../core/words.js";
import { fileAddress, fileViewAddress } from "../../transport/rest-api.js";
import { CopyButton } from "../shared/copy-button.js";
import { h, icon, iconButton, onPlainClick, setAttribute, setText } from "../shared/dom.js";
import { ReaderContent } from "./reader-content.js";

const NARROW = matchMedia("(max-width: 900px)");
const BEHIND = ".stage, .sidebar, .side-panel";

export class ReaderPanel {
  #app;
  #file;
  #conversation;
  #opener = null; // gets the focus back
  #isPushed = false; // there is an entry in the browser's history, so that going back closes it
  #content = new ReaderContent();
  #title = h("h2", { id: "reader-title", class: "one-line", tabindex: -1, dir: "auto" });
  #about = h("p", { class: "reader-about" });
  #note = h("p", { class: "reader-problem", role: "status" });
  #versions = h("select", { class: "field", "aria-label": t`Version`, onchange: () => this.#file.choose(this.#versions.value) });
  #forms = h("select", { class: "field", "aria-label": t`Show as`, onchange: () => this.#file.show(this.#forms.value) });
  #copy = new CopyButton(() => this.#file.content?.text ?? this.#file.content?.diff ?? "", t`Copy the content`).element;
  #tab = h("a", { class: "icon-button", target: "_blank", "aria-label": t`Open in a new tab`, title: t`Open in a new tab` }, icon("link"));
  #download = h("a", { class: "icon-button", download: true, "aria-label": t`Download`, title: t`Download` }, icon("download"));
  element = h(
    "aside",
    { class: "reader", "aria-labelledby": "reader-title", hidden: true, onkeydown: (event) => this.#pressed(event) },
    h(
      "header",
      { class: "reader-head" },
      h("div", { class: "reader-words" }, this.#title, this.#about),
      this.#copy, this.#tab, this.#download,
      iconButton("reader-close", t`Close the file`, "cross", () => this.close()),
    ),
    h("div", { class: "reader-choices" }, this.#versions, this.#forms),
    this.#note,
    this.#content.element,
  );

  /**
   * Opens what links with `data-file` name, wherever they are.
   * @param {import("../../app/open-file.js").OpenFile} file
   * @param {{sessionId(): string|null, opening(): void}} conversation `opening` makes room
   */
  constructor(app, file, conversation) {
    this.#app = app;
    this.#file = file;
    this.#conversation = conversation;
    app.querySelector(".side-panel").before(this.element);
    NARROW.addEventListener("change", () => this.#set());
    addEventListener("click", (event) => this.#clicked(event));
    addEventListener("popstate", () => this.#isPushed && ((this.#isPushed = false), this.#hide()));
  }

  get isOpen() {
    return this.#file.isOpen;
  }

  open(path, opener = document.activeElement) {
    this.#conversation.opening();
    if (!this.isOpen) this.#opener = opener;
    if (NARROW.matches && !this.#isPushed) {
      history.pushState(null, "", location.href);
      this.#isPushed = true;
    }
    this.#file.open(this.#conversation.sessionId(), path);
    this.update();
    this.#title.focus({ preventScroll: true });
  }

  close() {
    if (this.#isPushed) history.back();
    else this.#hide();
  }

  /** Closes a file of a conversation that was left; the focus is elsewhere already. */
  leave() {
    this.#isPushed = false;
    this.#opener = null;
    if (this.isOpen) this.#file.close();
    this.update();
  }

  update() {
    const { path, sessionId, problem, content, isDeleted, entry, address, version, versions, form, forms } = this.#file;
    this.#set();
    if (!this.isOpen) return void this.#content.update(null, null);
    const kind = kindOf(path);
    setText(this.#title, path);
    this.#title.title = path;
    setText(this.#about, entry ? [bytes(entry.size), displayName(entry.by), dayAndTime(entry.ts)].join(" · ") : "");
    this.#about.title = entry ? fullTime(entry.ts) : "";
    setText(this.#note, problem || (isDeleted ? t`This file was deleted. An earlier version is shown.` : ""));
    offer(this.#versions, versions.map(versionOption(isDeleted)), version || versions[0]?.version);
    offer(this.#forms, forms.map((each) => ({ value: each, words: formWords(each) })), form);
    this.#copy.hidden = !(content?.text || content?.diff);
    this.#tab.hidden = !["picture", "page", "pdf"].includes(kind);
    setAttribute(this.#tab, "href", fileViewAddress(sessionId, path, address));
    setAttribute(this.#download, "href", fileAddress(sessionId, path, address));
    setAttribute(this.#content.element, "aria-busy", content ? null : "true");
    if (content || problem) this.#content.update(sessionId, content);
  }

  // Internal

  #clicked(event) {
    const link = event.target.closest?.("a[data-file]");
    if (link && !event.defaultPrevented) onPlainClick(event, () => this.open(link.dataset.file, link));
  }

  /** Escape leaves a list of choices, and then the file. */
  #pressed(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    if (event.target.matches("select, input")) this.#title.focus({ preventScroll: true });
    else this.close();
  }

  #hide() {
    const hadFocus = this.element.contains(document.activeElement) || document.activeElement === document.body;
    this.#file.close();
    this.update();
    if (!hadFocus) return;
    const place = [this.#opener, this.#app.querySelector(".panel-toggle"), this.#app.querySelector(".scroller")];
    place.find((element) => element?.isConnected && element.checkVisibility())?.focus({ preventScroll: true });
  }

  #set() {
    const { isOpen } = this;
    this.element.hidden = !isOpen;
    this.#app.toggleAttribute("data-reading", isOpen);
    for (const each of this.#app.querySelectorAll(BEHIND)) setInert(each, isOpen && NARROW.matches);
  }
}

/** Makes an element inert, leaving alone those that something else made inert. */
function setInert(element, isInert) {
  if (element.hasAttribute("data-under-reader") === isInert) return;
  if (isInert && element.inert) return;
  element.toggleAttribute("data-under-reader", isInert);
  element.inert = isInert;
}

/** Fills a list of choices, unless it has them; one choice is none. */
function offer(select, options, chosen) {
  const key = JSON.stringify(options);
  if (select.dataset.options !== key) {
    select.dataset.options = key;
    select.replaceChildren(...options.map(({ value, words, disabled }) => h("option", { value, disabled }, words)));
  }
  if (select.value !== chosen) select.value = chosen ?? "";
  select.hidden = options.length < 2;
}

function versionOption(isDeleted) {
  return ({ version, by, ts, is_kept: isKept }, at) => {
    const words = `${displayName(by)}, ${dayAndTime(ts)}`;
    if (!isKept) return { value: version, words: t`${words} (not kept)`, disabled: true };
    return { value: version, words: at === 0 && !isDeleted ? t`Current: ${words}` : words };
  };
}

function formWords(form) {
  return {
    shown: t`As it is`, source: t`Source`, before: t`Changes to the version before`, now: t`Differences from now`,
  }[form];
}
