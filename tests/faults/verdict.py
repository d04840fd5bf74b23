"""The verdict on a schedule that has been played: what is wrong, in words, and the figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.clients import Frame
from tests.faults import evidence
from tests.faults.acts.kind import Kind, Stage
from tests.faults.checks import GONE, violations
from tests.faults.evidence import Conversation, Evidence
from tests.faults.talk import Talk
from tests.faults.zygote import STACK

BAD_WORDS = ("Traceback", "ERROR")


@dataclass(frozen=True)
class Reminded:
    """The model's request for a last message."""

    labels: Sequence[str]
    """The messages of people in it."""
    told: Sequence[str]
    """All texts in it."""


class Verdict:
    """Judges what a schedule left behind, after its last server has ended."""

    def __init__(
        self,
        stage: Stage,
        kinds: Sequence[Kind],
        complaints: list[str],
        ends: int,
        reminded: Mapping[str, Reminded],
    ) -> None:
        self._stage = stage
        self._kinds = kinds
        self._complaints = complaints
        self._ends = ends
        self._reminded = reminded
        self._allowed = frozenset(code for kind in kinds for code in kind.turn_errors)

    def violations(self) -> list[str]:
        """Return all that is wrong."""
        logs = evidence.logs(self._stage.data)
        conversations, known = [], {id for kind in self._kinds for id in kind.sessions}
        found = self._complaints + list(self._told_by_clients())
        for talk in self._stage.talks:
            if talk.state == "gone":
                left = logs.pop(talk.id, [])
                found += [f"{talk.id} is gone, and its log has {len(left)} events"] if left else []
                seen = self._conversation(talk, talk.log)
                found += [complaint for check in GONE for complaint in check(seen)]
            else:
                conversations.append(self._conversation(talk, logs.get(talk.id, [])))
        ours = {talk.id for talk in self._stage.talks}
        found += [f"nobody knows the conversation {id}" for id, log in logs.items() if log and id not in ours | known]
        ran = evidence.ran(self._stage.data)
        found += violations(Evidence(conversations, ran, self._ends, len(conversations) < len(self._stage.talks)))
        for kind in self._kinds:
            found += kind.judge(logs)
        found += evidence.damage(self._stage.data, self._stage.passwords, known - ours)
        found += self._server_log()
        self._sum_up(conversations, len(ran))
        if found:
            found += [_account(conversation) for conversation in conversations]
        return found

    def _told_by_clients(self) -> Iterator[str]:
        for talk in self._stage.talks:
            yield from talk.complaints
            for person in talk.people:
                yield from person.complaints

    def _server_log(self) -> Iterator[str]:
        """Look for what no server may log, except for what this schedule breaks on purpose."""
        log = (self._stage.folder / "server.log").read_text()
        excused = tuple(words for kind in self._kinds for words in kind.excuses)
        for entry in _entries(log):
            if any(word in entry for word in BAD_WORDS) and not any(words in entry for words in excused):
                yield f"a server's log has: {entry[:1500]}"
                break
        if STACK in log:
            yield f"the threads of the server that was stuck:\n{log[log.index(STACK) :]}"

    def _conversation(self, talk: Talk, log: Sequence[Frame]) -> Conversation:
        reminded = self._reminded.get(talk.id)
        return Conversation(
            log=log,
            views={person.name: person.seen for person in talk.people},
            accepted=[id for id, sent in talk.sent.items() if sent.state == "seen"] + sorted(talk.old),
            refused=[id for id, sent in talk.sent.items() if sent.state == "refused"],
            texts=frozenset(talk.texts),
            confirmations=[content for person in talk.people for content in person.confirmations],
            reminded=reminded.labels if reminded is not None else None,
            told=reminded.told if reminded is not None else (),
            acknowledged=talk.acknowledged,
            commands=talk.commands,
            edits=talk.edits,
            allowed=self._allowed,
        )

    def _sum_up(self, conversations: Sequence[Conversation], ran: int) -> None:
        figures = self._stage.figures
        figures["tools run"] += ran
        figures["sessions"] += len(self._stage.talks)
        for conversation in conversations:
            figures["messages accepted"] += len(conversation.accepted)
            figures["messages refused"] += len(conversation.refused)
            figures["acknowledgements compared"] += len(conversation.acknowledged)
            figures["memories compared"] += conversation.reminded is not None
            figures["events"] += len(conversation.log)
            figures["events seen and compared"] += sum(len(view) for view in conversation.views.values())
            for frame in conversation.log:
                if frame["type"] == "turn_completed":
                    figures[f"turns {frame['content']['status']}"] += 1
                elif frame["type"] in {"input_request", "input_response", "rewind"}:
                    figures[f"{frame['type']}s"] += 1


def _entries(log: str) -> Iterator[str]:
    """Yield the entries of a log file, each with its traceback."""
    entry: list[str] = []
    for line in log.splitlines():
        if line[:4].isdigit() and entry:  # each begins with the time
            yield "\n".join(entry)
            entry = []
        entry.append(line)
    yield "\n".join(entry)


def _account(conversation: Conversation) -> str:
    """Return a readable account of a log."""
    lines = []
    for frame in conversation.log:
        content = {
            name: value for name, value in frame["content"].items() if name not in {"uuid", "sender", "recipient"}
        }
        place = f"  {frame['seq']:3} {frame['ts'][14:23]} turn {frame['turn']} {frame['type']:17}"
        lines.append(f"{place} {json.dumps(content)[:170]}")
    return "\n".join(["the log:", *lines])
