/** The first screen: a choice of agents, and suggestions of what to ask. */

import { displayName } from "../core/format.js";
import { paintAgent } from "./shared/agent-avatar.js";
import { createAvatar, h, setAttribute, setText } from "./shared/dom.js";
import { KeyedList } from "./shared/keyed-list.js";

export class Welcome {
  #element;
  #agents;
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
    this.#agents = new KeyedList(element.querySelector(".agents"), () => new AgentCard(intents.pick));
    this.#suggestions = new KeyedList(element.querySelector(".suggestions"), () => new Suggestion(intents.ask));
  }

  /** @param {{agents: object[], model: object, local_servers: object[]}|null} config */
  update(isShown, config, picked) {
    this.#element.hidden = !isShown;
    if (!isShown) return;
    const agents = config?.agents ?? [];
    const suggestions = agents.find((agent) => agent.name === picked)?.suggestions ?? [];
    this.#agents.update(agents.map((agent) => ({ ...agent, key: agent.name, isPicked: agent.name === picked })));
    this.#suggestions.update(suggestions.map((text) => ({ key: `${picked} ${text}`, text })));
    this.#demo.hidden = !config?.model?.demo;
    const servers = config?.local_servers ?? [];
    this.#localServers.update(servers.map((server) => ({ ...server, key: server.command })));
    this.#empty.hidden = !config || agents.some((agent) => agent.available);
  }
}

/** A radio button that looks like a card, and so works with arrow keys and screen readers. */
class AgentCard {
  #radio;
  #avatar = createAvatar();
  #name = h("span", { class: "agent-name" });
  #description = h("span", { class: "agent-description" });
  #reason = h("span", { class: "agent-reason" });

  constructor(pick) {
    this.#radio = h("input", { type: "radio", name: "agent", onchange: (event) => pick(event.target.value) });
    this.element = h(
      "label",
      { class: "card agent-card" },
      this.#radio,
      this.#avatar,
      h("span", { class: "agent-text" }, this.#name, this.#description, this.#reason),
    );
  }

  update({ name, description, available, reason, isPicked }) {
    paintAgent(this.#avatar, name);
    setText(this.#name, displayName(name));
    setText(this.#description, description ?? "");
    setText(this.#reason, available ? "" : `Not available: ${reason || "see the server's log"}`);
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
