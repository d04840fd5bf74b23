"""One conversation: what people do in it. Its log is in log.py, its turns are run by worker.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from agentchat import __version__
from agentchat.ag2 import conversation
from agentchat.protocol import events, handover, session_events
from agentchat.protocol.errors import ChatError, DuplicateMessage
from agentchat.protocol.events import Draft, Event
from agentchat.protocol.identity import UNNAMED, user_id
from agentchat.protocol.session_events import UserMessage
from agentchat.protocol.tasks import Plan, Task
from agentchat.protocol.validation import check_id, check_length, check_text, check_title, cleaned, one_line
from agentchat.sessions.cursor import Cursor
from agentchat.sessions.log import Log
from agentchat.sessions.presence import People
from agentchat.sessions.services import BUSY, Services
from agentchat.sessions.worker import Worker
from agentchat.store import SessionRecord
from agentchat.workspace.files import Workspace


class Session:
    """One conversation. `log` is what its readers see, `questions` are those that wait for an answer."""

    def __init__(
        self,
        record: SessionRecord,
        services: Services,
        keep: Callable[[Session], None],
        leave: Callable[[Session], None],
        waiting: int | None = None,
    ) -> None:
        """`keep` and `leave` tell that a turn needs the session; `waiting` is a turn that still waits for an answer."""
        self.id = record.id
        self.agent = record.agent
        self.users = 1  # guarded by the lock of `Sessions`
        self.log = Log(record, services.store, services.redact, services.desk.changed)
        self._services = services
        self._people = People()
        self.plan_lock = threading.Lock()
        chat = services.new_chat(self.id, self)
        self._folder = chat.folder
        self._worker = Worker(self.agent, self.log, chat, services, lambda: keep(self), lambda: leave(self))
        self._lock = self._worker.lock  # guards what follows
        self._last_turn = record.last_turn
        self.questions = self._worker.questions
        if record.last_seq:
            self._recall(waiting)

    def _recall(self, waiting: int | None) -> None:
        """What a server before this one accepted and did not come to still waits, and so does its open question."""
        self._worker.rewound = rewound = self.log.rewound
        newest = {event.turn: session_events.message(event) for event in self._services.store.unanswered(self.id)}
        self._worker.waiting.extend(newest[turn] for turn in sorted(newest) if turn not in rewound)
        if gone := [session_events.completed(turn, "stopped") for turn in sorted(newest) if turn in rewound]:
            self.log.append(gone)  # rewound when they were about to start; then the server was killed
        if waiting is not None:
            self.questions.recall(waiting)
            self._worker.resume(self._asked(waiting))

    # What people do

    def post(
        self,
        text: str,
        name: str,
        id: str | None = None,
        context: Mapping[str, Any] | None = None,
        busy: str | None = None,
        browser: str = "",
    ) -> Event:
        """A person's message. One whose id is in the log already changes nothing. Returns its event; raises ChatError.

        `busy` is what becomes of it while a turn runs: one of BUSY. `browser` is whose cookie came with it.
        """
        check_text(text)
        context = cleaned(context)
        check_id(id)
        busy = busy or self._services.rules.busy
        if busy not in BUSY:
            raise ChatError("bad_frame", problem=f"its busy is none of {', '.join(BUSY)}")
        with self._lock:
            self._check_alive()
            if id is not None and self._may_refuse(busy):
                known = self._services.store.keyed(self.id, session_events.key(id))
                if known is not None:
                    return known
            message = self._message(text, name, user_id(name, browser, self.id), id, context)
            running = self._worker.running
            if running is None or busy == "enqueue":
                return self._ask(message)
            if busy == "reject":
                raise ChatError("busy")
            must_rewind = busy == "rollback" and running.number not in self._worker.rewound
            return self._ask(message, "rollback" if must_rewind else None, [running.number])

    def answer(self, request_id: str, text: str, name: str, arguments: Mapping[str, Any] | None = None) -> Event:
        """The answer to an open question; the first one counts. Returns its event; raises ChatError."""
        check_length(text)
        self._check_alive()
        return self.questions.answer(request_id, text, name, cleaned(arguments))

    def stop(self, turn: int | None = None) -> int | None:
        """Stop the running turn, or that turn if it runs; withdraw it if it waits. Returns which one, if any."""
        with self._lock:
            running = self._worker.running
            if running is not None and turn in {None, running.number}:
                running.token.stop("stopped")
                return running.number
            waiting = next((message for message in self._worker.waiting if message.turn == turn), None)
            if waiting is None:
                return None
            self.log.append([session_events.completed(waiting.turn, "stopped")])
            self._worker.waiting.remove(waiting)
            self._worker.tell_queue()
            return waiting.turn

    def retry(self) -> Event:
        """The last turn no longer counts, and its message is answered anew. Returns the new message's event."""
        with self._lock:
            self._check_alive()
            self._check_not_held()
            if self._worker.running is not None and self._worker.running.number not in self._worker.rewound:
                turn = self._worker.running.number
            else:
                self._check_idle()
                turn = next((t for t in range(self._last_turn, 0, -1) if self._has_answer(t)), 0)
            if not turn:
                raise ChatError("nothing_to_retry")
            asked = self._asked(turn)
            message = self._message(asked.text, asked.name, asked.user, None, asked.context)
            return self._ask(message, "retry", self._counting_from(turn))

    def edit(self, seq: int, text: str, name: str, browser: str = "") -> Event:
        """Another text for the message at `seq`. Unless it still waits, it and all since no longer count.

        Returns the event of the new message; raises ChatError.
        """
        check_text(text)
        with self._lock:
            self._check_alive()
            event = next((event for event, _ in self.log.read(seq - 1, 1)), None) if seq > 0 else None
            if event is None or event.type != "user_message" or event.turn in self._worker.rewound:
                raise ChatError("message_unknown", seq=seq)
            for place, waiting in enumerate(self._worker.waiting):
                if waiting.turn == event.turn:
                    changed = replace(
                        waiting,
                        text=events.clean(text),
                        name=events.clean(name),
                        user=user_id(name, browser, self.id),
                    )
                    [written] = self.log.append([session_events.asked(changed, key=None)])
                    self._worker.waiting[place] = replace(changed, seq=written.seq)
                    self._worker.tell_queue()
                    return written
            self._check_not_held()
            if self._worker.running is None or self._worker.running.number != event.turn:
                self._check_idle()
            message = self._message(text, name, user_id(name, browser, self.id), None, event.content["context"])
            return self._ask(message, "edit", self._counting_from(event.turn))

    def rename(self, title: str, name: str) -> Event:
        """Another title. Returns its event; raises ChatError."""
        check_title(title)
        with self._lock:
            self._check_alive()
            [event] = self.log.append([session_events.renamed(one_line(title), events.clean(name))])
            return event

    def tick(self, task: int, status: str, name: str) -> Task:
        """What a person says about a task of the plan. Raises ChatError."""
        self._check_alive()
        return self._plan(name).tick(task, status)

    # Humans in the agents' place

    def take(self, name: str) -> Event:
        """An operator takes the conversation; until it is handed back, no agent speaks. Returns the event.

        A turn that runs is stopped.
        """
        with self._lock:
            self._check_alive()
            now = self.log.held
            if now is not None and now.state == handover.TAKEN:
                raise ChatError("taken", name=now.operator)
            if self._worker.running is not None:
                self._worker.running.token.stop("stopped")
            giver = handover.HUMAN if now is not None else self.agent
            [event] = self.log.append([handover.handoff("taken", giver, name, "", 0)])
            return event

    def reply(self, text: str, name: str, id: str | None = None) -> Event:
        """What the operator who has the conversation says. Returns its event; raises ChatError.

        One whose id is in the log already changes nothing.
        """
        check_text(text)
        check_id(id)
        with self._lock:
            self._check_alive()
            self._check_has_taken(name)
            history = conversation.heard(text, operator=name)
            draft = handover.words(text, name, UNNAMED, id or uuid4().hex, self._last_turn + 1)
            return self._say(draft, history)

    def hand_back(self, note: str, name: str) -> Event:
        """The agents have the conversation again, and know the note. Returns the event; raises ChatError.

        Whoever takes part may end the waiting for a human.
        """
        check_length(note)
        with self._lock:
            self._check_alive()
            now = self.log.held
            if now is None or now.state == handover.TAKEN:
                self._check_has_taken(name)
            history = conversation.handed_back(note, name if now and now.state == handover.TAKEN else "")
            return self._say(handover.handoff("returned", name, self.agent, note, self._last_turn + 1), history)

    def _say(self, draft: Draft, history: str) -> Event:
        """In a turn number of its own, which no agent runs. Requires holding `_lock`."""
        try:
            [event] = self.log.append([draft], history)
        except DuplicateMessage as duplicate:
            return duplicate.event
        self._last_turn = draft.turn
        self._worker.hear(draft.turn)
        return event

    # Who is here

    def typing(self, name: str, is_typing: bool, origin: object = None) -> None:
        """Tell all readers but `origin` that a person writes, or no longer does."""
        self.log.signal(f"typing:{name}", "typing", {"name": events.clean(name), "is_typing": is_typing}, origin)

    def join(self, name: str, role: str) -> None:
        """Another connection of that person is there. `part` says that it is gone."""
        self._people.join(name, role)
        self.log.signal("presence", "presence", {"participants": self._people.participants})

    def part(self, name: str, role: str) -> None:
        self._people.part(name, role)
        if not self._people.has(name):
            self.log.forget_signal(f"typing:{name}")
        self.log.signal("presence", "presence", {"participants": self._people.participants})

    # What there is to see

    @property
    def status(self) -> str:
        """idle, running, or waiting for an answer."""
        if self.questions.contents:
            return "waiting"
        return "running" if self._worker.running is not None or self._worker.waiting else "idle"

    @property
    def tasks(self) -> list[Task]:
        """Of the plan, in the order in which they were made."""
        return self._plan("").tasks

    def events_of(self, *types: str) -> list[Event]:
        """The events of these types that count, oldest first."""
        rewound = self._worker.rewound
        return [event for event in self._services.store.read_types(self.id, types) if event.turn not in rewound]

    @property
    def operators(self) -> int:
        """How many people are there to take conversations over."""
        return len(self._services.desk.operators)

    def files(self, name: str) -> Workspace:
        """The session's files, as that person sees and changes them. Changes raise ChatError once it is gone."""

        def changing(path: str, original: bytes | None) -> None:
            self._check_alive()

        def changed(path: str, kind: str, size: int) -> None:
            self._note("file_changed", {"path": path, "kind": kind, "size": size}, name)

        return Workspace(self._folder, changed, changing)

    def _plan(self, name: str) -> Plan:
        return Plan(self.events_of, lambda type, content: self._note(type, content, name), self.plan_lock)

    def _note(self, type: str, content: Mapping[str, Any], name: str) -> None:
        """What a person does beside the turns."""
        body = events.encode({"uuid": str(uuid4()), **content, "by": events.clean(name)})
        self.log.append([Draft(type, body, 0)])

    def confirmation(self, cursor: Cursor, name: str, role: str, replaced: str | None = None) -> str:
        """The first frame for a reader. `replaced` is the session that it asked for and that does not exist."""
        about = self.about()
        type, content = session_events.own(
            session_events.ConnectionConfirmedEvent(
                session_id=self.id,
                agent=self.agent,
                title=about["title"],
                name=name,
                role=role,
                last_seq=self.log.view.last_seq,
                status=about["status"],
                recovered=cursor.recovered,
                replaced=replaced,
                open_requests=about["open_requests"],
                queue=about["queue"],
                participants=about["participants"],
                held=about["held"],
                progress=about["progress"],
                model=dict(self._services.model),
                server={"name": "agentchat", "version": __version__},
            )
        )
        return events.live_frame(type, content)

    def about(self) -> dict[str, Any]:
        """The session in one object. Raises ChatError when it was deleted."""
        record = self._services.store.session(self.id)
        if record is None:
            raise ChatError("session_deleted")
        return {
            **summary(record, self.status),
            "open_requests": self.questions.contents,
            "queue": self._worker.queue,
            "participants": self._people.participants,
            "held": {**self.log.held.content, "operators": self.operators} if self.log.held else None,
            "progress": self._worker.progress,
        }

    def turn_status(self, turn: int) -> str:
        """queued, running, waiting, or how the turn was completed."""
        with self._lock:
            running = self._worker.running
            if running is not None and running.number == turn:
                return "waiting" if self.questions.is_waiting(turn) else "running"
        completed = [e for e in self.log.milestones(turn) if e.type == "turn_completed"]
        return str(completed[0].content["status"]) if completed else "queued"

    # Working

    def work(self) -> None:
        """Start on what waits, if there is anything."""
        self._worker.start()

    def interrupt(self) -> None:
        """The server ends."""
        self._worker.interrupt()

    def join_worker(self, timeout: float) -> None:
        self._worker.join(timeout)

    def give_up(self) -> None:
        """The session is gone from the store."""
        self._worker.give_up()

    # Accepting

    def _message(
        self, text: str, name: str, user: str, id: str | None, context: Mapping[str, Any] | None
    ) -> UserMessage:
        """For the next turn."""
        words, name = events.clean(text), events.clean(name)
        return UserMessage(id or uuid4().hex, words, name, context or {}, self._last_turn + 1, user)

    def _ask(self, message: UserMessage, reason: str | None = None, stopping: Sequence[int] = ()) -> Event:
        """Accept a message. The turns in `stopping` are stopped, and with a `reason` they no longer count.

        Requires holding `_lock`.
        """
        limit = self._services.rules.max_messages
        if limit and self._last_turn >= limit:
            raise ChatError("session_full", limit=f"{limit:,}")
        drafts = [session_events.asked(message, message.key)]
        if reason is not None:
            to_seq = self.log.milestones(stopping[0])[0].seq - 1
            drafts.insert(0, session_events.rewind(stopping, to_seq, reason))
        try:
            event = self.log.append(drafts)[-1]
        except DuplicateMessage as duplicate:
            return duplicate.event
        if reason is not None:
            self._worker.forget(stopping)
        self._last_turn = message.turn
        if self._worker.running is not None and self._worker.running.number in stopping:
            self._worker.running.token.stop("stopped")
        self._worker.add(replace(message, seq=event.seq))
        return event

    # Rules

    def _check_alive(self) -> None:
        if self._services.is_closing.is_set():
            raise ChatError("closing")
        if self.log.is_deleted:
            raise ChatError("session_deleted")

    def _check_idle(self) -> None:
        if self._worker.running is not None or self._worker.waiting:
            raise ChatError("busy")

    def _check_not_held(self) -> None:
        if self.log.held is not None:
            raise ChatError("held")

    def _check_has_taken(self, name: str) -> None:
        now = self.log.held
        if now is None or now.state != handover.TAKEN:
            raise ChatError("not_held")
        if now.operator != events.clean(name):
            raise ChatError("taken", name=now.operator)

    def _may_refuse(self, busy: str) -> bool:
        """A message may be refused or stop a turn, which one that was sent before must not."""
        limit = self._services.rules.max_messages
        return busy != "enqueue" or bool(limit and self._last_turn >= limit)

    def _asked(self, turn: int) -> UserMessage:
        """The message of a turn, as it was edited last."""
        versions = [event for event in self.log.milestones(turn) if event.type == "user_message"]
        return session_events.message(versions[-1])

    def _has_answer(self, turn: int) -> bool:
        return turn not in self._worker.rewound and any(e.type == "turn_started" for e in self.log.milestones(turn))

    def _counting_from(self, turn: int) -> list[int]:
        """The turn and those since; not those that have not begun."""
        waiting = {message.turn for message in self._worker.waiting}
        return [t for t in range(turn, self._last_turn + 1) if t not in self._worker.rewound | waiting]


def summary(record: SessionRecord, status: str) -> dict[str, Any]:
    """A session as lists show it."""
    return {
        "id": record.id,
        "agent": record.agent,
        "title": record.title,
        "created": record.created,
        "updated": record.updated,
        "last_seq": record.last_seq,
        "status": status,
        "messages": record.last_turn,
        "held": record.held or None,
    }
