"""One conversation: what people do and see in it.

log.py shows its events, turn_runner.py runs its turns, and operators act through takeover.py.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from agentchat import __version__
from agentchat.protocol import commands, events, session_events
from agentchat.protocol.attachments import Attachment, Reference
from agentchat.protocol.commands import Command, digest
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft, Event
from agentchat.protocol.identity import UNNAMED, Caller, user_id
from agentchat.protocol.session_events import UserMessage
from agentchat.protocol.tasks import Plan, Task
from agentchat.protocol.validation import (
    BUSY_MODES,
    check_feedback,
    check_length,
    check_text,
    check_title,
    cleaned,
    one_line,
)
from agentchat.sessions.commands import once
from agentchat.sessions.cursor import Cursor
from agentchat.sessions.file_history import FileHistory
from agentchat.sessions.log import Log
from agentchat.sessions.presence import Participants
from agentchat.sessions.services import Services
from agentchat.sessions.takeover import Takeover
from agentchat.sessions.turn_runner import SessionHost, Snapshot, TurnRunner
from agentchat.store import SessionRecord
from agentchat.workspace import attaching
from agentchat.workspace.files import Workspace
from agentchat.workspace.paths import canonical
from agentchat.workspace.prepared import DELETED, digest_of
from agentchat.workspace.versions import Versions

log = logging.getLogger(__name__)


class Session:
    """One conversation. `log` is what its readers see, `turns` runs the agents, `takeover` is for operators."""

    def __init__(
        self,
        record: SessionRecord,
        services: Services,
        host: SessionHost,
        asking: int | None = None,
    ) -> None:
        """`asking` is a turn that waits for an answer, and has left memory."""
        self.id = record.id
        self.agent = record.agent
        self.folder_name = record.folder or record.id
        self.plan_lock = threading.Lock()  # guards the plan's events
        self.log = Log(record, services.store, services.keys, services.desk.changed)
        self._services = services
        self._participants = Participants()
        chat = services.new_chat(self.id, self)
        self._folder = chat.folder
        self.turns = TurnRunner(self.agent, self.log, chat, services, host, record.last_turn)
        self.questions = self.turns.questions
        self.takeover = Takeover(self.agent, self.log, self.turns, self._check_alive, services.audit)
        if record.last_seq:
            self._recover_files()
            self.turns.resume(asking)

    def close(self) -> None:
        """Cut the references that run in circles, so that it leaves memory at once, without Python's collector."""
        self.turns.close()
        self.takeover.close()

    # What people do. The same `id` counts once: whatever is done again with it returns what was done first.

    def post(
        self,
        text: str,
        name: str,
        id: str | None = None,
        context: Mapping[str, Any] | None = None,
        busy: str | None = None,
        user: str = "",
        address: str = "",
        attached: Sequence[Reference] = (),
    ) -> Event:
        """Accept a person's message and return its event. Raises ChatError.

        `busy`, one of BUSY_MODES, says what happens to it while a turn runs. `user` is the id of the person, if there
        is more to go by than the name, and `address` the network address. The `attached` files go with it.
        """
        check_length(text) if attached else check_text(text)
        context = cleaned(context) or {}
        busy = busy or self._services.rules.busy
        if busy not in BUSY_MODES:
            raise ChatError("bad_frame", problem=f"its busy is not one of {', '.join(BUSY_MODES)}")
        files = self._found(attached)
        with self.turns.hold() as now:
            self._check_alive()

            def post(command: Command | None) -> Event:
                message = self._message(now, text, name, user or user_id(name, "", self.id), id, context)
                if isinstance(files, ChatError):
                    raise files
                message = replace(message, address=address, attachments=files)
                if now.running is None or busy == "enqueue":
                    return self._submit(now, message, command)
                if busy == "reject":
                    raise ChatError("busy")
                must_rewind = busy == "rollback" and now.running not in now.rewound
                return self._submit(now, message, command, [now.running], "rollback" if must_rewind else None)

            return self.log.once(id, commands.message_digest(events.clean(text), context, attached), post)

    def answer(
        self,
        request_id: str,
        text: str,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        id: str | None = None,
        caller: Caller | None = None,
    ) -> Event:
        """Answer an open question; the first answer counts. Returns its event; raises ChatError.

        `caller` is whoever answers, unless that is this process.
        """
        check_length(text)
        self._check_alive()
        changed = cleaned(arguments)
        answer = self.log.redaction.redact_json(events.encode({"text": text, "arguments": changed}))
        if id is not None and self.questions.is_password(request_id):
            answer = ""  # not even a digest of it is kept
        asked = digest("input_response", request_id=request_id, answer=answer)
        event = self.log.once(
            id, asked, lambda command: self.questions.answer(request_id, text, name, changed, command, caller)
        )
        self.turns.start()  # if its turn has left memory
        return event

    def stop(self, turn: int | None = None, id: str | None = None, admin: Caller | None = None) -> int | None:
        """Stop the running turn, or that turn if it runs; or withdraw it if queued. Returns its number, or None.

        `admin` is whoever stops it without taking part.
        """

        def stop() -> int | None:
            number = self.turns.stop(turn, command)
            if admin is not None and number is not None:
                self._services.audit.write("turn_stopped", admin.who, admin.address, session=self.id, turn=number)
            return number

        with self.turns.hold() as now:
            stopped = now.stoppable(turn)
            command = commands.command(self.id, id, digest("stop", turn=turn), json.dumps(stopped))
            return once(self._services.store, command, stop, _turn_number)

    def retry(self, id: str | None = None) -> Event:
        """Have the last message answered again; its turn no longer counts. Returns the new event; raises ChatError."""
        with self.turns.hold() as now:
            self._check_alive()
            return self.log.once(id, digest("retry"), lambda command: self._retry(now, command))

    def _retry(self, now: Snapshot, command: Command | None) -> Event:
        self._check_not_held()
        if now.running is not None and now.running not in now.rewound:
            turn = now.running
        else:
            self._check_idle(now)
            begun = (t for t in reversed(now.begun_since(1)) if self.log.has_started(t))
            turn = next(begun, 0)
        if not turn:
            raise ChatError("nothing_to_retry")
        asked = self.log.message(turn)
        message = self._message(now, asked.text, asked.name, asked.user, None, asked.context)
        message = replace(message, attachments=asked.attachments)
        return self._submit(now, message, command, now.begun_since(turn), "retry")

    def edit(self, seq: int, text: str, name: str, user: str = "", id: str | None = None) -> Event:
        """Replace the text of the message at `seq`. Returns the event of the new message; raises ChatError.

        Unless the message still waits, its turn and all since no longer count.
        """
        check_length(text)
        user = user or user_id(name, "", self.id)
        with self.turns.hold() as now:
            self._check_alive()

            def edit(command: Command | None) -> Event:
                event = self.log.event(seq)
                if event is None or event.type != "user_message" or event.turn in now.rewound:
                    raise ChatError("message_unknown", seq=seq)
                files = session_events.user_message(event).attachments
                if not files:
                    check_text(text)
                waiting = next((message for message in now.waiting if message.turn == event.turn), None)
                if waiting is not None:
                    edited = replace(waiting, text=events.clean(text), name=events.clean(name), user=user)
                    if user != waiting.user:
                        self._services.quotas.check(user)
                    self._services.waiting_messages.check(self.id, edited, waiting)
                    return self.turns.edit_waiting(edited, command)
                self._check_not_held()
                if now.running != event.turn:
                    self._check_idle(now)
                message = self._message(now, text, name, user, None, event.content["context"])
                message = replace(message, attachments=files)
                return self._submit(now, message, command, now.begun_since(event.turn), "edit")

            return self.log.once(id, digest("edit", seq=seq, text=text), edit)

    def rename(self, title: str, name: str, id: str | None = None) -> Event:
        """Give the session another title. Returns the event; raises ChatError."""
        check_title(title)
        self._check_alive()
        draft = session_events.renamed_draft(one_line(title), events.clean(name))
        return self.log.once(id, digest("rename", title=title), lambda command: self._append(draft, command))

    def feedback(self, seq: int, score: int, comment: str, name: str, id: str | None = None) -> Event:
        """Rate the answer at `seq`: 1 is good, -1 bad, 0 withdraws. Returns the event; raises ChatError.

        The newest feedback of a person on an answer counts.
        """
        check_feedback(score, comment)
        with self.turns.hold() as now:
            self._check_alive()

            def rate(command: Command | None) -> Event:
                answer = self.log.event(seq)
                if answer is None or not answer.is_said or answer.turn in now.rewound or answer.content.get("operator"):
                    raise ChatError("answer_unknown", seq=seq)
                message_id, said, by = answer.content["message_id"], events.clean(comment), events.clean(name)
                return self._append(session_events.feedback_draft(seq, message_id, score, said, by), command)

            return self.log.once(id, digest("feedback", seq=seq, score=score, comment=comment), rate)

    def set_task_status(self, task: int, status: str, name: str, id: str | None = None) -> Task:
        """Set the status of a task of the plan and return the task. Raises ChatError."""
        self._check_alive()
        command = commands.command(self.id, id, digest("task", task=task, status=status))
        return once(
            self._services.store,
            command,
            lambda: self._plan(name, command).set_status(task, status),
            lambda seq: self._plan("", until=int(seq)).task(task),
        )

    def write_file(self, path: str, content: bytes, name: str, id: str | None = None) -> Event:
        """Create or overwrite a file. Returns the event; raises ChatError."""
        asked = digest("write_file", path=canonical(path), sha256=digest_of(content))
        return self.log.once(
            id, asked, lambda command: self._change_file(name, command, lambda f: f.write(path, content))
        )

    def delete_file(self, path: str, name: str, id: str | None = None) -> Event:
        """Delete a file. Returns the event; raises ChatError."""
        asked = digest("delete_file", path=canonical(path))
        return self.log.once(id, asked, lambda command: self._change_file(name, command, lambda f: f.delete(path)))

    # Who is here

    def typing(self, name: str, is_typing: bool, origin: object = None) -> None:
        """Tell all readers but `origin` that a person is typing, or has stopped."""
        self.log.set_state(f"typing:{name}", "typing", {"name": events.clean(name), "is_typing": is_typing}, origin)

    def join(self, name: str, role: str) -> None:
        """Count another connection of that person, until `leave`."""
        self._participants.join(name, role)
        self.log.set_state("presence", "presence", {"participants": self._participants.contents})

    def leave(self, name: str, role: str) -> None:
        """Count one connection of that person fewer."""
        self._participants.leave(name, role)
        if not self._participants.has(name):
            self.log.clear_state(f"typing:{name}")
        self.log.set_state("presence", "presence", {"participants": self._participants.contents})

    # What there is to see

    @property
    def status(self) -> str:
        """`idle`, `running`, or `waiting` for an answer."""
        if self.questions.contents:
            return "waiting"
        return "idle" if self.turns.snapshot().is_idle else "running"

    @property
    def at(self) -> tuple[int, str]:
        """The turn that runs, or else the next one, with its status; 0 if there is none."""
        with self.turns.hold() as now:
            turn = now.running or (now.waiting[0].turn if now.waiting else 0)
            return turn, self.turn_status(turn) if turn else ""

    def turn_status(self, turn: int) -> str:
        """Return `queued`, `running`, `waiting`, or how the turn ended."""
        with self.turns.hold() as now:
            if now.running == turn:
                return "waiting" if self.questions.is_waiting(turn) else "running"
        return self.log.final_status(turn) or "queued"

    @property
    def tasks(self) -> list[Task]:
        """The tasks of the plan, in the order in which they were created."""
        return self._plan("").tasks

    def events_of(self, *types: str) -> list[Event]:
        """Return the events of these types that count, oldest first."""
        rewound = self.turns.snapshot().rewound
        return [event for event in self._services.store.read_types(self.id, types) if event.turn not in rewound]

    @property
    def operators(self) -> int:
        """The number of people at the desk."""
        return len(self._services.desk.operators)

    def files(self, name: str) -> Workspace:
        """Return the session's files, attributing changes to `name`. Changes raise ChatError once it is deleted."""

        return self._workspace(name, None, [])

    @property
    def file_history(self) -> FileHistory:
        """The versions of the session's files."""
        return FileHistory(self._services.store, self.id, self.folder_name, self.files(UNNAMED), self._versions)

    @property
    def _versions(self) -> Versions:
        return self._services.folders.versions(self.folder_name)

    def _change_file(self, name: str, command: Command | None, change: Callable[[Workspace], object]) -> Event:
        """Change one file and return the event."""
        written: list[Event] = []
        change(self._workspace(name, command, written))
        return written[0]

    def _workspace(self, name: str, command: Command | None, written: list[Event]) -> Workspace:
        """Return the files for changes by that person, whose events are added to `written`."""

        def changed(path: str, kind: str, size: int, sha256: str | None) -> None:
            content = {"path": path, "kind": kind, "size": size, "sha256": sha256}
            written.append(self._append_beside_turns("file_changed", content, name, command))

        folders = self._services.folders
        room, retention = folders.storage.room(self.folder_name), folders.retention(self.folder_name)
        return Workspace(
            self._folder, changed, lambda path, original: self._check_alive(), room, retention, self._versions
        )

    def _recover_files(self) -> None:
        """Finish the changes of files that the previous server was killed in."""

        def told() -> set[tuple[str, str]]:
            newest = {}
            for session_id, event in self.file_history.changes():
                change = event.content
                version = DELETED if change["kind"] == DELETED else str(change.get("sha256"))
                newest[session_id, change["path"]] = version
            return {(path, version) for (_, path), version in newest.items()}

        try:
            Workspace(self._folder, versions=self._versions).recover(told)
        except ChatError:
            log.exception("A change of a file of %s could not be finished; the next server tries again", self.id)

    def about(self) -> dict[str, Any]:
        """Return the session as one object. Raises ChatError if it was deleted."""
        status = self.status  # before the store is read: what is idle has all its events there
        record = self.log.record
        if record is None:
            raise ChatError("session_deleted")
        return {
            **summary(record, status),
            "open_requests": self.questions.contents,
            "ahead": self.turns.ahead,
            "queue": [message.entry for message in self.turns.snapshot().waiting],
            "participants": self._participants.contents,
            "held": {**self.log.held.content, "operators": self.operators} if self.log.held else None,
            "progress": self.turns.progress,
            "epoch": self.log.epoch,
        }

    def confirmation(self, cursor: Cursor, name: str, role: str, replaced: str | None = None) -> str:
        """Return the first frame for a reader. `replaced` is the unknown session it asked for, if any."""
        about = self.about()
        same = ("title", "status", "open_requests", "ahead", "queue", "participants", "held", "progress")
        confirmed = session_events.ConnectionConfirmedEvent(
            session_id=self.id,
            agent=self.agent,
            name=name,
            role=role,
            last_seq=self.log.view.last_seq,
            epoch=self.log.epoch,
            recovered=cursor.recovered,
            replaced=replaced,
            heartbeat=self._services.rules.heartbeat,
            model=dict(self._services.model()),
            server={"name": "agentchat", "version": __version__},
            **{field: about[field] for field in same},
        )
        return events.live_frame(*session_events.type_and_content(confirmed))

    # Accepting

    def _found(self, attached: Sequence[Reference]) -> tuple[Attachment, ...] | ChatError:
        """Return the attached files, or why they cannot be attached: a message that is sent again may do without."""
        try:
            return tuple(attaching.found(self.files(UNNAMED), each) for each in attached)
        except ChatError as error:
            return error

    def _plan(self, name: str, command: Command | None = None, until: int | None = None) -> Plan:
        """Return the plan as it is now, or was at the event `until`, for one change by that person."""

        def read(*types: str) -> list[Event]:
            return [event for event in self.events_of(*types) if until is None or event.seq <= until]

        def write(type: str, content: Mapping[str, Any]) -> None:
            self._append_beside_turns(type, content, name, command)

        return Plan(read, write, self.plan_lock)

    def _append_beside_turns(
        self, type: str, content: Mapping[str, Any], name: str, command: Command | None = None
    ) -> Event:
        body = events.encode({"uuid": str(uuid4()), **content, "by": events.clean(name)})
        return self._append(Draft(type, body, 0), command)

    def _append(self, draft: Draft, command: Command | None) -> Event:
        [event] = self.log.append([draft], command=command)
        return event

    def _message(
        self, now: Snapshot, text: str, name: str, user: str, id: str | None, context: Mapping[str, Any] | None
    ) -> UserMessage:
        """Return a message for the next turn."""
        return UserMessage(id or uuid4().hex, events.clean(text), events.clean(name), context or {}, now.next, user)

    def _submit(
        self,
        now: Snapshot,
        message: UserMessage,
        command: Command | None,
        stopping: Sequence[int] = (),
        reason: str | None = None,
    ) -> Event:
        """Submit a message unless the session is full, or its author's quota used up. See TurnRunner.submit."""
        self._services.quotas.check(message.user)
        if reason is None and self._is_full(now):  # else it replaces one
            raise ChatError("session_full", limit=f"{self._services.rules.max_messages:,}")
        if reason is None:
            self._services.waiting_messages.check(self.id, message)
        return self.turns.submit(message, stopping, reason, command)

    # Rules

    def _is_full(self, now: Snapshot) -> bool:
        limit = self._services.rules.max_messages
        if not limit or now.last < limit:
            return False
        record = self._services.store.session(self.id)
        return record is not None and record.messages >= limit

    def _check_alive(self) -> None:
        if self._services.is_closing.is_set():
            raise ChatError("closing")
        if self.log.is_deleted:
            raise ChatError("session_deleted")

    def _check_idle(self, now: Snapshot) -> None:
        if not now.is_idle:
            raise ChatError("busy")

    def _check_not_held(self) -> None:
        if self.log.held is not None:
            raise ChatError("held")


def _turn_number(result: str) -> int | None:
    number: int | None = json.loads(result)
    return number


def summary(record: SessionRecord, status: str) -> dict[str, Any]:
    """Return a session as lists show it."""
    return {
        "id": record.id,
        "session_id": record.id,
        "agent": record.agent,
        "title": record.title,
        "created": record.created,
        "updated": record.updated,
        "last_seq": record.last_seq,
        "status": status,
        "messages": record.messages,
        "held": record.held or None,
    }
