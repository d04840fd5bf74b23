"""Carrying commands out once, however often they are sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from agentchat.protocol import commands, handover, session_events
from agentchat.protocol.commands import Accepted, Command
from agentchat.protocol.errors import ChatError, DuplicateCommand, StoreError
from agentchat.store import Store

Done = TypeVar("Done")


def once(store: Store, command: Command | None, act: Callable[[], Done], recall: Callable[[str], Done]) -> Done:
    """Return what `act` returns, or `recall` of its result if the command was carried out before. Raises ChatError.

    `act` has the store record the command. One without an id is carried out each time.
    """
    if command is None:
        return act()
    result = _result(store, command)
    if result is None:
        try:
            return act()
        except StoreError:
            raise
        except (ChatError, DuplicateCommand):  # perhaps because the same command was faster
            result = _result(store, command)
            if result is None:
                raise
    return recall(result)


def _result(store: Store, command: Command) -> str | None:
    """Return the result of a command that was carried out. Raises ChatError if its id was used for another one."""
    accepted = store.accepted(command.scope, command.id) or _spoken(store, command)
    if accepted is None:
        return None
    if accepted.digest != command.digest:
        raise ChatError("id_reused")
    return accepted.result


def _spoken(store: Store, command: Command) -> Accepted | None:
    """Return the message or reply with the command's id: older versions recorded no commands, only these ids."""
    for key in (session_events.message_key(command.id), handover.reply_key(command.id)):
        event = store.keyed(command.scope, key)
        if event is not None:
            content = event.content
            digest = (
                commands.message_digest(content["text"], content["context"])
                if event.type == "user_message"
                else commands.reply_digest(content["content"], content["sender"])
            )
            return Accepted(digest, str(event.seq))
    return None
