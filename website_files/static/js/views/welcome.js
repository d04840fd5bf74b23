/** The first screen: a choice of agents, and suggestions of what to ask. */

import { displayName } from "../core/format.js";
import { t } from "../core/words.js";
import { paintAgent } from "./shared/agent-avatar.js";
import { button, createAvatar, h, icon, setAttribute, setText } from "./shared/dom.js";
import { KeyedList } from "./shared/keyed-list.js";

const COLUMNS = 6; // of the grid, which rows of one, two and three cards fill
const MANY = 8; // agents, beyond which the choice is closed on large screens, too

let cards = 0;

export class Welcome {
  #element;
  #single;
  #choice;
  #suggestions;
  #demo;
  #localServers;
  #empty;

  /** @param {{pick(agent: string): void, ask(text: string): void}} intents */
  constructor(element, intents) {
    this.#element = element;
    this.#demo = element.querySelector(".demo-note");
    this.#localServers = new KeyedList(element.querySelector(".local-servers"), () => new LocalServer());
    this.#empty = element.querySelector(".no-agents");
    this.#single = new SingleAgent(element);
    this.#choice = new AgentChoice(element.querySelector(".agents-field"), intents.pick);
    this.#suggestions = new KeyedList(element.querySelector(".suggestions"), () => new Suggestion(intents.ask));
  }

  /** @param {{agents: object[], model: object, local_servers: object[]}|null} config */
  update(isShown, config, picked) {
    this.#element.hidden = !isShown;
    if (!isShown) return;
    const agents = config?.agents ?? [];
    const suggestions = agents.find((agent) => agent.name === picked)?.suggestions ?? [];
    const single = agents.length === 1 && agents[0].available ? agents[0] : null;
    this.#single.update(single);
    this.#choice.update(single ? [] : agents, picked);
    this.#suggestions.update(suggestions.map((text, at) => ({ key: String(at), text })));
    this.#demo.hidden = !config?.model?.demo;
    const servers = config?.local_servers ?? [];
    this.#localServers.update(servers.map((server) => ({ ...server, key: server.command })));
    this.#empty.hidden = !config || agents.some((agent) => agent.available);
  }
}

/** The heading: a question where there is a choice, or else the one agent. */
class SingleAgent {
  #mark;
  #avatar = createAvatar();
  #title;
  #question;
  #description = h("p", { class: "single-description", dir: "auto" });

  constructor(element) {
    this.#mark = element.querySelector(".welcome-mark");
    this.#title = element.querySelector("h2");
    this.#question = this.#title.textContent;
    this.#mark.after(this.#avatar);
    this.#title.after(this.#description);
  }

  /** @param {object|null} agent */
  update(agent) {
    this.#mark.hidden = Boolean(agent);
    this.#avatar.hidden = this.#description.hidden = !agent;
    if (agent) paintAgent(this.#avatar, agent.name);
    setText(this.#title, agent ? displayName(agent.name) : this.#question);
    setText(this.#description, agent?.description ?? "");
  }
}

/** All agents as a group of radio buttons. Where there is little room, only the chosen one is shown until one opens it. */
class AgentChoice {
  #element;
  #agents;
  #opener = button("text-button agents-opener", () => this.#open(!this.#isOpen), h("span", {}, t`Other agents`), icon("chevron"));
  #isOpen = false;

  constructor(element, pick) {
    this.#element = element;
    const list = element.querySelector(".agents");
    this.#agents = new KeyedList(list, () => new AgentCard(pick));
    list.addEventListener("click", (event) => event.detail > 0 && event.target.matches("input") && this.#open(false));
    element.append(this.#opener);
    this.#open(false);
  }

  update(agents, picked) {
    const wide = rowSizes(agents.length, 3);
    const narrow = rowSizes(agents.length, 2);
    const items = agents.map((agent, at) => ({
      ...agent, key: agent.name, isPicked: agent.name === picked, wide: wide[at], narrow: narrow[at],
    }));
    this.#agents.update(items);
    this.#element.hidden = agents.length === 0;
    setAttribute(this.#element, "data-many", agents.length > MANY);
    setAttribute(this.#element, "data-picked", agents.length > 1 && Boolean(picked));
  }

  #open(isOpen) {
    this.#isOpen = isOpen;
    setAttribute(this.#element, "data-open", isOpen);
    setAttribute(this.#opener, "aria-expanded", String(isOpen));
    if (!isOpen) this.#element.querySelector(":checked")?.closest(".agent-card").scrollIntoView({ block: "nearest" });
  }
}

/** Deals cards to rows of at most so many, as evenly as can be. @returns {number[]} for each card the size of its row */
export function rowSizes(count, most) {
  const rows = Math.ceil(count / most);
  const sizes = Array.from({ length: rows }, (_, row) => Math.floor(count / rows) + (row < count % rows ? 1 : 0));
  return sizes.flatMap((size) => Array(size).fill(size));
}

/** A radio button that looks like a card, and so works with arrow keys and screen readers. */
class AgentCard {
  #radio;
  #avatar = createAvatar();
  #name = h("span", { class: "agent-name" });
  #description = h("span", { class: "agent-description", dir: "auto" });
  #reason = h("span", { class: "agent-reason" });

  constructor(pick) {
    const id = `agent-${++cards}`;
    this.#name.id = id;
    this.#description.id = `${id}-about`;
    this.#reason.id = `${id}-reason`;
    this.#radio = h("input", {
      type: "radio", name: "agent", "aria-labelledby": id, "aria-describedby": `${id}-about ${id}-reason`,
      onchange: (event) => pick(event.target.value),
    });
    this.element = h(
      "label",
      { class: "card agent-card" },
      this.#radio,
      this.#avatar,
      h("span", { class: "agent-text" }, this.#name, this.#description, this.#reason),
    );
  }

  update({ name, description, available, reason, isPicked, wide, narrow }) {
    this.element.style.setProperty("--wide-span", COLUMNS / wide);
    this.element.style.setProperty("--narrow-span", COLUMNS / narrow);
    paintAgent(this.#avatar, name);
    setText(this.#name, displayName(name));
    setText(this.#description, description ?? "");
    setText(this.#reason, available ? "" : t`Not available: ${reason || t`see the server’s log`}`);
    setAttribute(this.#radio, "value", name);
    this.#radio.disabled = !available;
    this.#radio.checked = isPicked;
  }
}

class Suggestion {
  #button;
  #text = "";

  constructor(ask) {
    this.#button = h("button", { type: "button", class: "suggestion", onclick: () => ask(this.#text) });
    this.element = h("li", {}, this.#button);
  }

  update({ text }) {
    this.#text = text;
    setText(this.#button, text);
  }
}

/** A model server on the same machine, which people can use instead of the demo model. */
class LocalServer {
  #name = h("strong");
  #command = h("code");

  constructor() {
    this.element = h("p", {}, this.#name, " is running on this machine. To use it, start the server with ", this.#command);
  }

  update({ name, command }) {
    setText(this.#name, name);
    setText(this.#command, command);
  }
}
