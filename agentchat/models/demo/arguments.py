"""What the offline demo model calls a tool with: by the names and types of its parameters, from what was asked."""

from __future__ import annotations

import re
from typing import Any

from agentchat.models.demo.reading import Tool, words

WHOLE = frozenset({"query", "question", "goal", "prompt", "reason"})
PATHS = frozenset({"path", "file", "filename", "file_name", "file_path"})
TEXTS = frozenset({"content", "contents", "body", "code"})
ORDINALS = {"first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5"}
FILE = re.compile(r"[\w./-]*\w\.[A-Za-z]\w{0,4}\b")
ASKS_TO = re.compile(r"^(please\s+)?(\w+)\s+(me\s+)?(an?\s+|the\s+|my\s+|some\s+)?", re.IGNORECASE)
LEADING = re.compile(r"^[\s,]+(an?|the)?\s*", re.IGNORECASE)
UNNAMED = frozenset(["about", "and", "for", "python", "that", "the", "which", "who"])  # not in a file's name
PROGRAM = '''"""{wish}

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


def arguments(wish: str, tool: Tool) -> dict[str, Any]:
    """All that the tool requires, and nothing that it can do without."""
    parameters = tool.get("parameters", {})
    properties = parameters.get("properties", {})
    source = _Source(wish, parameters.get("$defs", {}))
    return {name: source.value(name, properties.get(name, {})) for name in parameters.get("required", list(properties))}


class _Source:
    def __init__(self, wish: str, definitions: dict[str, Any]) -> None:
        self._wish = wish
        self._definitions = definitions
        counted = re.sub(r"[A-Za-z]+", lambda word: ORDINALS.get(word[0].lower(), word[0]), wish)
        self._numbers = re.findall(r"-?\d+(?:\.\d+)?", counted)

    def value(self, name: str, schema: dict[str, Any], depth: int = 0) -> Any:
        schema = self._plain(schema)
        type = schema.get("type")
        if "enum" in schema:
            return next((value for value in schema["enum"] if words(str(value)) & words(self._wish)), schema["enum"][0])
        if type == "integer":
            return int(float(self._numbers.pop(0))) if self._numbers else 1
        if type == "number":
            return float(self._numbers.pop(0)) if self._numbers else 1.0
        if type == "boolean":
            return True
        if depth < 5 and type == "array":
            return [self.value(name, schema.get("items", {}), depth + 1)]
        if depth < 5 and type == "object":
            fields = schema.get("properties", {})
            return {field: self.value(field, fields.get(field, {}), depth + 1) for field in schema.get("required", ())}
        return self._text(name.lower())

    def _plain(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema itself, not where it is defined; of several that would do, the first."""
        for _ in range(5):
            if "$ref" in schema:
                schema = self._definitions.get(schema["$ref"].rpartition("/")[2], {})
            elif options := schema.get("anyOf") or schema.get("oneOf"):
                schema = next((option for option in options if option.get("type") != "null"), {})
        return schema

    def _text(self, name: str) -> str:
        if name in WHOLE:
            return self._wish
        if name in PATHS:
            return path(self._wish)
        if name in TEXTS:
            return content(self._wish)
        if name in {"key", "value"}:
            return fact(self._wish)[name == "value"]
        return title(self._wish) if name == "title" else subject(self._wish)


def path(wish: str) -> str:
    """The file that is named, else one named after what is wanted."""
    if named := FILE.search(wish):
        return named[0]
    told = [word for word in re.findall(r"[a-z]{2,}", title(wish).lower()) if word not in UNNAMED]
    kind = "py" if re.search(r"\b(program|script|function|code|python)\b", wish, re.IGNORECASE) else "md"
    return f"{'-'.join(told[:4]) or 'note'}.{kind}"


def content(wish: str) -> str:
    """Something to write, of the file's kind."""
    if not path(wish).endswith(".py"):
        return NOTE.format(title=title(wish))
    return PROGRAM.format(wish=re.sub(r'["\\]', "", wish))


def title(wish: str) -> str:
    """What is to be made: “Write a note about Lisbon” → “Note about Lisbon”."""
    named = wish.partition(":")[2].strip() or ASKS_TO.sub("", wish.strip())
    named = LEADING.sub("", FILE.sub("", named)).strip(" .?!")
    return named[:1].upper() + named[1:] or "Note"


def fact(wish: str) -> tuple[str, str]:
    """Something about the person, as what it is and what it is for them."""
    if named := re.search(r"\b(?:call me|my name is|i am called)\s+([\w'’ -]+)", wish, re.IGNORECASE):
        return "name", named[1].strip()
    if own := re.search(r"\bmy\s+([\w ]+?)\s+is\s+(.+?)[.!]*$", wish, re.IGNORECASE):
        return own[1], own[2]
    if said := re.search(r"\bi (like|love|hate|want|need|prefer|live in|work at)\s+(.+?)[.!]*$", wish, re.IGNORECASE):
        verb, _, rest = said[1].lower().partition(" ")
        return f"{verb}s {rest}".strip(), said[2]
    return "note", re.sub(r"^.*?\bremember( that)?\s+", "", wish, flags=re.IGNORECASE).strip(" .!")


def subject(text: str) -> str:
    """What a question is about: what stands in quotes, behind the last 'in', 'for' …, or the last capitalised name."""
    if quoted := re.search(r"[\"“«]([^\"”»]+)[\"”»]", text):
        return str(quoted[1])
    if named := re.findall(r"\b(?:in|for|of|about|at|near|to)\s+((?:[A-ZÀ-Þ][\w'’.-]*\s*)+)", text):
        return str(named[-1]).strip(" .?!,")
    names = re.findall(r"(?<!^)(?<![.?!] )\b[A-ZÀ-Þ][\w'’-]+(?:\s+[A-ZÀ-Þ][\w'’-]+)*", text)
    if names:
        return str(names[-1])
    behind = re.search(r"\b(?:in|for|of|about|at|near|to)\s+(.+?)[\s.?!]*$", text)
    return str(behind[1] if behind else text.strip(" .?!"))
