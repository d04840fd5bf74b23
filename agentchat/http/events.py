"""The log of a session over HTTP: read in pages, or followed as an event stream."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator

from agentchat.access import Access, Need
from agentchat.http import requests, responses, streaming
from agentchat.http.routes import EVENT_STREAM, JSON, Call, Reply, Stream
from agentchat.http.session_route import SessionResource, session_route
from agentchat.http.waiting import Waiter
from agentchat.protocol import events
from agentchat.protocol.errors import ChatError
from agentchat.sessions.cursor import Cursor, Frame
from agentchat.sessions.registry import Session, Sessions

MAX_PAGE = 2**20  # characters of JSON after which a page of events ends


class EventRoutes(SessionResource):
    def __init__(self, sessions: Sessions, access: Access) -> None:
        super().__init__(sessions)
        self._access = access

    @session_route("GET", "/events", Need.READ, answers={200: responses.EventList}, types=(JSON, EVENT_STREAM))
    def read_events(self, call: Call, query: requests.EventsQuery, headers: requests.EventsHeaders) -> Reply | Stream:
        """Read the log, or follow the session as an event stream."""
        session = self._session(call)
        if call.accept == EVENT_STREAM:
            after, epoch = _start(headers.last_event_id, query)
            name = call.caller.name if call.caller.is_known else query.name
            role = query.role if self._access.may(call.caller, Need.WRITE, session.id) else "viewer"
            is_typing = query.typing == "agents"
            begin = functools.partial(Cursor, session.log, after, None, query.show, epoch, is_typing)
            return streaming.event_stream(_follow(session, call.waiter(), begin, name, role))
        log = session.log
        recovered = log.has(query.after, query.epoch)
        frames = ",".join(_page(session, query.after if recovered else 0, query.limit))
        about = {"last_seq": log.view.last_seq, "epoch": log.epoch, "recovered": recovered}
        return Reply(200, f'{{"events":[{frames}],{events.encode(about)[1:]}'.encode())


def _start(last_event_id: str | None, query: requests.EventsQuery) -> tuple[int, str]:
    """The seq to start after, and its epoch. `Last-Event-ID` wins; -1, which no log has, if it holds no seq."""
    if not last_event_id:
        return query.after, query.epoch
    epoch, _, seq = last_event_id.rpartition("-")
    is_number = seq.isascii() and seq.isdigit() and len(seq) < 16
    return int(seq) if is_number else -1, epoch or query.epoch


def _follow(
    session: Session, waiter: Waiter, begin: Callable[[], Cursor], name: str, role: str
) -> Generator[str, None, None]:
    """Follow a session. Clients that have a name are participants meanwhile."""
    if name:
        session.join(name, role)
    try:
        cursor = begin()
        yield streaming.RETRY + streaming.message(session.confirmation(cursor, name, role))
        for messages in waiter.watch(session.log, lambda: _news(cursor, session.log.epoch)):
            yield messages or streaming.silence(waiter.heartbeat)
    except ChatError as error:
        if not session.log.is_deleted:
            raise
        yield streaming.message(events.error_frame(error))
    finally:
        if name:
            session.leave(name, role)


def _news(cursor: Cursor, epoch: str) -> str:
    if cursor.has_ended:
        raise ChatError("session_deleted")
    return "".join(_message(frame, epoch) for frame in cursor.advance())


def _message(frame: Frame, epoch: str) -> str:
    return streaming.message(frame.text, "" if frame.seq is None else f"{epoch}-{frame.seq}")


def _page(session: Session, after: int, limit: int) -> Iterator[str]:
    """Yield events after `after` as JSON: `limit` of them, or fewer if they exceed MAX_PAGE."""
    size = 0
    while size < MAX_PAGE and limit > 0 and (page := session.log.read(after, limit)):
        for event, _ in page:
            frame = event.frame
            yield frame
            size += len(frame)
            if size >= MAX_PAGE:
                break
        limit -= len(page)
        after = page[-1][0].seq
