"""The rules by which the offline demo model answers, so that every agent can be tried without a key.

They look at the names of tools and parameters, not by who the agents are.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

Message = dict[str, Any]
Tool = dict[str, Any]

# Words that say nothing about which tool is meant.
COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and any are can do for from get give how i in is it me my of on please tell the to what you",
    )
)
MAX_CALLS = 8  # in one turn

# Verbs in a request, and the words in the names of tools that carry them out.
ACTIONS = [
    (
        ("write", "draft", "compose", "create", "make", "build", "revise", "rewrite", "improve", "shorten"),
        ("write", "create"),
    ),
    (("read", "open", "show", "analyse", "summarise"), ("read", "open", "get")),
    (("list",), ("list",)),
    (("search", "find"), ("search", "find")),
    (("compare",), ("compare", "diff")),
    (("done", "finished", "completed", "complete"), ("complete", "finish")),
    (("run", "execute"), ("run", "execute")),
]
REVISE = re.compile(r"\b(revise|rewrite|improve|shorten|change|translate|extend)\b", re.IGNORECASE)
FENCE, NEW_PARAGRAPH = "```", "\n\n"
PLAN = re.compile(r"\b(plan|organi[sz]e|prepare|break down)\b", re.IGNORECASE)
HUMAN = re.compile(r"\bhuman\b|\b(talk|speak) (to|with) (a|an|some)", re.IGNORECASE)
REMEMBER = re.compile(r"\bremember (that )?(i|my|me|to)\b|\bcall me\b|\bmy name is\b", re.IGNORECASE)
EARLIER = re.compile(r"\b(remember|earlier|before|first|so far)\b", re.IGNORECASE)
QUESTION = re.compile(r"^(what|which|who|where|when|why|how)\b|\?\s*$", re.IGNORECASE)
SPEAKERS = re.compile(r"select the next role from \[([^\]]*)\]")
STEPS = [  # the tasks of any plan, each with the indexes of those before it
    ("Decide what is needed: {goal}", []),
    ("Choose a date and a budget", [0]),
    ("Get what is missing", [0]),
    ("Do it: {goal}", [1, 2]),
]
# Names of parameters, by what they are given: the whole request, a file's path, a file's text.
WHOLE = frozenset({"query", "question", "goal", "prompt", "reason"})
PATHS = frozenset({"path", "file", "filename", "file_name", "file_path"})
TEXTS = frozenset({"content", "contents", "body", "code"})
ORDINALS = {"first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5"}
FILE = re.compile(r"[\w./-]*\w\.[A-Za-z]\w{0,4}\b")
ASKS_TO = re.compile(r"^(please\s+)?(\w+)\s+(me\s+)?(an?\s+|the\s+|my\s+|some\s+)?", re.IGNORECASE)
ATTACHED = re.compile(r"^\[Attached file: .*\]$", re.MULTILINE)
LEADING = re.compile(r"^[\s,]+(an?|the)?\s*", re.IGNORECASE)
NOT_IN_FILE_NAMES = frozenset({"about", "and", "for", "python", "that", "the", "which", "who"})
PROGRAM = '''"""{asked}

The offline demo model wrote this; it knows only this one program.
"""

import sys


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "world"
    print(f"Hello, {{name}}!")


if __name__ == "__main__":
    main()
'''
NOTE = """# {title}

The offline demo model wrote this, to show how an agent writes a file. A real model would have more to say.
"""


def answer(messages: list[Message], tools: list[Tool]) -> tuple[str, dict[str, Any] | None]:
    """Return a text and None, or an empty text and a tool call."""
    if speaker := _next_speaker(messages):
        return speaker, None
    now = _read(messages, tools)
    next_call = _next_call(now) if len(now.calls) < MAX_CALLS else None
    if next_call is not None:
        name, given = next_call
        function = {"name": name, "arguments": json.dumps(given, ensure_ascii=False)}
        return "", {"id": f"call_{uuid4().hex[:12]}", "type": "function", "function": function}
    return _words(now), None


def _next_speaker(messages: list[Message]) -> str | None:
    """If a group asks who speaks next, return the one after the last speaker."""
    for message in messages[:1] + messages[-1:]:
        if found := SPEAKERS.search(str(message.get("content"))):
            names = [name.strip(" '\"") for name in found[1].split(",")]
            spoken = [message["name"] for message in messages if message.get("name") in names]
            return names[(names.index(spoken[-1]) + 1) % len(names)] if spoken else names[0]
    return None


# Reading the request


@dataclass(frozen=True)
class Call:
    """A tool call of this turn and its result."""

    name: str
    arguments: dict[str, Any]
    result: str


@dataclass(frozen=True)
class Situation:
    """The messages of a model call, sorted. `calls`, `has_spoken` and `heard` came after the request."""

    system: str
    asked: str  # the person's newest message
    earlier: list[str]  # the person's messages before it
    calls: list[Call]
    has_spoken: bool  # this agent has already said something
    heard: str  # the last words of another agent
    tools: list[Tool]


def _read(messages: list[Message], tools: list[Tool]) -> Situation:
    system = "\n".join(text_of(message) for message in messages if message["role"] == "system")
    said = [message for message in messages if message["role"] != "system"]
    person = said[0].get("name") if said else None  # the person always begins
    own = [index for index, message in enumerate(said) if message["role"] == "user" and message.get("name") == person]
    start = own[-1] if own else 0
    since = said[start + 1 :]
    results = {message.get("tool_call_id"): text_of(message) for message in since if message["role"] == "tool"}
    calls = [_call(call, results) for message in since for call in message.get("tool_calls") or ()]
    others = [text_of(message) for message in since if message["role"] == "user" and text_of(message)]
    return Situation(
        system,
        text_of(said[start]) if said else "",
        [text_of(said[index]) for index in own[:-1]],
        calls,
        any(message["role"] == "assistant" and text_of(message) for message in since),
        others[-1] if others else "",
        tools,
    )


def text_of(message: Message) -> str:
    """Return the text of a message, without pictures and lines about attached files."""
    content = message.get("content") or ""
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content)
    return inspect.cleandoc(ATTACHED.sub("", str(content)))


def words(text: str) -> set[str]:
    """Return the words that say something, in the singular."""
    found = set(re.findall(r"[a-z]{2,}", text.lower().replace("_", " "))) - COMMON
    return {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in found}


def _call(call: dict[str, Any], results: dict[Any, str]) -> Call:
    function = call["function"]
    return Call(function["name"], json.loads(function["arguments"] or "{}"), results.get(call["id"], ""))


# Choosing a tool


def _next_call(now: Situation) -> tuple[str, dict[str, Any]] | None:
    done = [call for call in now.calls if not _is_handover(call.name)]
    if (create := _named(now.tools, "create", "task")) and PLAN.search(now.asked):
        return _next_task(now, create)
    if done:
        return _revision(now)
    if now.has_spoken:
        return None
    tool = _fitting_tool(now)
    if tool is None:
        return None
    return tool["name"], _handover_arguments(now, tool) if _is_handover(tool["name"]) else arguments(now.asked, tool)


def _next_task(now: Situation, tool: Tool) -> tuple[str, dict[str, Any]] | None:
    made = [call for call in now.calls if call.name == tool["name"]]
    if len(made) == len(STEPS):
        return None
    text, before = STEPS[len(made)]
    ids = [int(number[0]) for call in made if (number := re.search(r"\d+", call.result))]
    given: dict[str, Any] = {"title": text.format(goal=title(now.asked))}
    if "depends_on" in tool["parameters"]["properties"] and len(ids) == len(made) and before:
        given["depends_on"] = [ids[place] for place in before]
    return tool["name"], given


def _revision(now: Situation) -> tuple[str, dict[str, Any]] | None:
    """Write a file that was read to be revised."""
    last, write = now.calls[-1], _named(now.tools, "write")
    if write is None or "read" not in words(last.name) or not _wants_revision(now):
        return None
    given = arguments(now.asked, write)
    if "content" not in given or last.result.startswith("Error"):
        return None
    how = now.asked.partition(":")[2].strip(" .") or now.asked
    revised = f"{last.result.rstrip()}\n\n(Revised by the offline demo model: {how}.)\n"
    return write["name"], given | {"content": revised}


def _wants_revision(now: Situation) -> bool:
    return bool(REVISE.search(now.asked) and FILE.search(now.asked))


def _fitting_tool(now: Situation) -> Tool | None:
    own = [tool for tool in now.tools if not _is_handover(tool["name"]) and "remember" not in words(tool["name"])]
    if REMEMBER.search(now.asked) and not QUESTION.search(now.asked) and (remember := _named(now.tools, "remember")):
        return remember
    if HUMAN.search(now.asked) and (human := _named(now.tools, "human")):
        return human
    if _wants_revision(now) and (reading := _named(own, "read")):
        return reading
    if (action := _action(now.asked)) is not None:
        fitting = [tool for tool in own if words(tool["name"]) & set(action)]
        if fitting or _wants_plan(now):
            return _best(now.asked, fitting) or next(iter(fitting), None)
    return _best(now.asked, own) or _hand_over(now) or _search(now, own)


def _action(asked: str) -> Sequence[str] | None:
    """Return the words in the names of tools for the first verb of the request."""
    if QUESTION.search(asked):
        return None
    for word in re.findall(r"[a-z]+", asked.lower()):
        for said, named in ACTIONS:
            if word in said:
                return named
    return None


def _best(asked: str, tools: Sequence[Tool]) -> Tool | None:
    """Return the tool that has the most words in common with the request, if any has one."""
    wanted = words(asked)
    best = max(tools, key=lambda tool: len(wanted & _tool_words(tool)), default=None)
    return best if best and wanted & _tool_words(best) else None


def _search(now: Situation, tools: Sequence[Tool]) -> Tool | None:
    """Return a tool that looks things up, if the request is a question."""
    if not QUESTION.search(now.asked):
        return None
    required = [tool.get("parameters", {}).get("required", ()) for tool in tools]
    return next((tool for tool, names in zip(tools, required, strict=True) if {"query", "question"} & {*names}), None)


def _tool_words(tool: Tool) -> set[str]:
    return words(tool["name"] + " " + tool.get("description", ""))


def _named(tools: Sequence[Tool], *parts: str) -> Tool | None:
    return next((tool for tool in tools if set(parts) <= words(tool["name"])), None)


# Handing over


def _is_handover(name: str) -> bool:
    """Return True for a tool that hands over to another agent; asking for a human ends the turn."""
    return bool(words(name) & {"hand", "handoff", "transfer"}) and "human" not in words(name)


def _hand_over(now: Situation) -> Tool | None:
    """Return the tool that hands over to the agent whom the request concerns, once per request."""
    for tool in now.tools:
        if _is_handover(tool["name"]) and not now.calls:
            agents = next(iter(_choices(tool).values()), [tool["name"]])
            if any(_concerns(now, agent) for agent in agents):
                return tool
    return None


def _handover_arguments(now: Situation, tool: Tool) -> dict[str, Any]:
    found = {name: [who for who in choices if _concerns(now, who)] for name, choices in _choices(tool).items()}
    return arguments(now.asked, tool) | {name: agents[0] for name, agents in found.items() if agents}


def _choices(tool: Tool) -> dict[str, list[str]]:
    properties = tool.get("parameters", {}).get("properties", {})
    return {name: schema["enum"] for name, schema in properties.items() if "enum" in schema}


def _concerns(now: Situation, agent: str) -> bool:
    """Return True if the request has a word of the agent's name, or of its description in the system message."""
    described = re.search(rf"{re.escape(agent)}\W*\(([^)]*)\)", now.system)
    wanted = words(now.asked) | ({"remember"} if REMEMBER.search(now.asked) else set())
    return bool(words(f"{agent} {described[1] if described else ''}") & wanted)


# Arguments


def arguments(asked: str, tool: Tool) -> dict[str, Any]:
    """Return a value for each required parameter of the tool, taken from the request."""
    parameters = tool.get("parameters", {})
    properties = parameters.get("properties", {})
    source = _ArgumentSource(asked, parameters.get("$defs", {}))
    return {name: source.value(name, properties.get(name, {})) for name in parameters.get("required", list(properties))}


class _ArgumentSource:
    def __init__(self, asked: str, definitions: dict[str, Any]) -> None:
        self._asked = asked
        self._definitions = definitions
        counted = re.sub(r"[A-Za-z]+", lambda word: ORDINALS.get(word[0].lower(), word[0]), asked)
        self._numbers = re.findall(r"-?\d+(?:\.\d+)?", counted)

    def value(self, name: str, schema: dict[str, Any], depth: int = 0) -> Any:
        schema = self._plain(schema)
        type = schema.get("type")
        if "enum" in schema:
            return next((each for each in schema["enum"] if words(str(each)) & words(self._asked)), schema["enum"][0])
        if type in {"integer", "number"}:
            number = float(self._numbers.pop(0)) if self._numbers else 1.0
            return int(number) if type == "integer" else number
        if type == "boolean":
            return True
        if depth < 5 and type == "array":
            return [self.value(name, schema.get("items", {}), depth + 1)]
        if depth < 5 and type == "object":
            fields = schema.get("properties", {})
            return {field: self.value(field, fields.get(field, {}), depth + 1) for field in schema.get("required", ())}
        return self._text(name.lower())

    def _plain(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Resolve references; of alternatives, take the first that is not null."""
        for _ in range(5):
            if "$ref" in schema:
                schema = self._definitions.get(schema["$ref"].rpartition("/")[2], {})
            elif options := schema.get("anyOf") or schema.get("oneOf"):
                schema = next((option for option in options if option.get("type") != "null"), {})
        return schema

    def _text(self, name: str) -> str:
        if name in WHOLE:
            return self._asked
        if name in PATHS:
            return path(self._asked)
        if name in TEXTS:
            return content(self._asked)
        if name in {"key", "value"}:
            return fact(self._asked)[name == "value"]
        return title(self._asked) if name == "title" else subject(self._asked)


def path(asked: str) -> str:
    """Return the file that the request names, else one named after what it wants."""
    if named := FILE.search(asked):
        return named[0]
    told = [word for word in re.findall(r"[a-z]{2,}", title(asked).lower()) if word not in NOT_IN_FILE_NAMES]
    kind = "py" if re.search(r"\b(program|script|function|code|python)\b", asked, re.IGNORECASE) else "md"
    return f"{'-'.join(told[:4]) or 'note'}.{kind}"


def content(asked: str) -> str:
    """Return something to write into the file."""
    if not path(asked).endswith(".py"):
        return NOTE.format(title=title(asked))
    return PROGRAM.format(asked=re.sub(r'["\\]', "", asked))


def title(asked: str) -> str:
    """Return the name of what is to be made: “Write a note about Lisbon” gives “Note about Lisbon”."""
    named = asked.partition(":")[2].strip() or ASKS_TO.sub("", asked.strip())
    named = LEADING.sub("", FILE.sub("", named)).strip(" .?!")
    return named[:1].upper() + named[1:] or "Note"


def fact(asked: str) -> tuple[str, str]:
    """Return what the request says about the person, as a key and a value."""
    if named := re.search(r"\b(?:call me|my name is|i am called)\s+([\w'’ -]+)", asked, re.IGNORECASE):
        return "name", named[1].strip()
    if own := re.search(r"\bmy\s+([\w ]+?)\s+is\s+(.+?)[.!]*$", asked, re.IGNORECASE):
        return own[1], own[2]
    if said := re.search(r"\bi (like|love|hate|want|need|prefer|live in|work at)\s+(.+?)[.!]*$", asked, re.IGNORECASE):
        verb, _, rest = said[1].lower().partition(" ")
        return f"{verb}s {rest}".strip(), said[2]
    return "note", re.sub(r"^.*?\bremember( that)?\s+", "", asked, flags=re.IGNORECASE).strip(" .!")


def subject(text: str) -> str:
    """Return what a question is about: the words in quotes, after the last 'in', 'for' …, or the last name."""
    if quoted := re.search(r"[\"“«]([^\"”»]+)[\"”»]", text):
        return str(quoted[1])
    if named := re.findall(r"\b(?:in|for|of|about|at|near|to)\s+((?:[A-ZÀ-Þ][\w'’.-]*\s*)+)", text):
        return str(named[-1]).strip(" .?!,")
    names = re.findall(r"(?<!^)(?<![.?!] )\b[A-ZÀ-Þ][\w'’-]+(?:\s+[A-ZÀ-Þ][\w'’-]+)*", text)
    if names:
        return str(names[-1])
    behind = re.search(r"\b(?:in|for|of|about|at|near|to)\s+(.+?)[\s.?!]*$", text)
    return str(behind[1] if behind else text.strip(" .?!"))


# Finding words


def _words(now: Situation) -> str:
    if _wants_plan(now) and not now.has_spoken and not now.calls:
        return f"The plan: write `{path(now.asked)}`, small and without further files. Then look whether it is there."
    said = _said(now)
    return f"{said} TERMINATE" if "TERMINATE" in now.system else said


def _said(now: Situation) -> str:
    if now.calls and "human" in words(now.calls[-1].name):
        return "I have asked for a human, who will answer here."
    done = [call for call in now.calls if not _is_handover(call.name)]
    if (made := [call for call in done if "create" in words(call.name)]) and PLAN.search(now.asked):
        first = made[0].arguments.get("title", "the first")
        return (
            f"I am the offline demo model, so this is the plan for anything: {len(made)} tasks. Begin with “{first}”."
        )
    if now.has_spoken and now.heard:
        return f"That is all.{NEW_PARAGRAPH if now.heard.startswith(FENCE) else ' '}{now.heard}"
    if done and "did not allow" in done[-1].result:
        return "You said no, so I have not done it."
    if done:
        return _shown(done[-1]) or "The tool had nothing to say."
    if EARLIER.search(now.asked):
        return _recollection(now)
    return _introduction(now)


def _shown(call: Call) -> str:
    """Return what a tool said; a file that was read is shown as it is, unless it is written to be rendered."""
    is_file = "read" in words(call.name) and not str(call.arguments.get("path", ".md")).endswith(".md")
    return f"{FENCE}\n{call.result}\n{FENCE}" if is_file and call.result else call.result


def _wants_plan(now: Situation) -> bool:
    """Return True if something is to be written, and another member of the team has the tool for it."""
    can_write = _named(now.tools, "write") or _named(now.tools, "create")
    return bool("team" in words(now.system) and not can_write and _action(now.asked) == ACTIONS[0][1])


def _recollection(now: Situation) -> str:
    if not now.earlier:
        return "This is the first thing you have written to me."
    return "In this conversation you have written:\n\n" + "\n".join(f"- {text}" for text in now.earlier)


def _introduction(now: Situation) -> str:
    hello = (
        "I am the offline demo model: a few rules that stand in for a language model, so that you can see this page "
        "work without a key. "
    )
    if not now.tools:
        return hello + "I cannot say anything clever, but I do remember what you write: ask me what you wrote before."
    names = " and ".join(f"`{tool['name']}`" for tool in now.tools)
    return hello + f"I can use this agent's tools ({names}): ask for something that one of them does."
