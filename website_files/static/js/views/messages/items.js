/** The view of each kind of item that a turn has. */

import { ChangesCard } from "./changes-card.js";
import { h } from "../shared/dom.js";
import { ErrorCard } from "./error-card.js";
import { EventLine } from "./event-line.js";
import { FilesLine } from "./files-line.js";
import { InnerTalk, TalkLine } from "./nested-chat.js";
import { AgentMessage, SpeakerLine } from "./agent-message.js";
import { QuestionCard } from "./question-card.js";
import { Ribbon } from "./ribbon.js";
import { Thought } from "./reasoning.js";
import { ToolCard } from "./tool-card.js";

const VIEWS = {
  speaker: () => new SpeakerLine(),
  message: () => new AgentMessage(),
  reasoning: () => new Thought(),
  tool: () => new ToolCard(),
  question: (item, intents) => new QuestionCard(item, intents),
  error: (item, { startOver }) => new ErrorCard(item, { startOver }),
  handoff: (item) => new Ribbon(item),
  files: (item, { sessionId }) => new FilesLine(sessionId),
  changes: (item, { sessionId }) => new ChangesCard(sessionId),
  inner: (item, intents) => new InnerTalk((each) => itemView(each, intents)),
  talk: () => new TalkLine(),
  event: () => new EventLine(),
  empty: () => new EmptyNote(),
};

export function itemView(item, intents) {
  return VIEWS[item.kind](item, intents);
}

class EmptyNote {
  element = h("p", { class: "empty-note" }, "The answer was empty.");

  update() {}
}
