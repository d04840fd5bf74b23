"""`run_iter` with `yield_on`, and an event of the program's own that a tool sends.

The loop sees the stages, and returns text. Two calls.
"""

from autogen import ConversableAgent
from autogen.events.agent_events import TextEvent, ToolCallEvent
from autogen.events.base_event import BaseEvent, resolve_print_callable, wrap_event
from autogen.io.base import IOStream
from autogen.tools import tool


@wrap_event
class StageEvent(BaseEvent):
    stage: str

    def print(self, f=None):
        resolve_print_callable(f)(f"[stage] {self.stage}", flush=True)


@tool(description="Process data in stages.")
def process(records: int) -> str:
    for stage in ("extract", "load"):
        IOStream.get_default().send(StageEvent(stage=stage))
    return f"{records} records"


def on_message(message, chat):
    engineer = ConversableAgent(
        "engineer",
        system_message="You are engineer.",
        is_termination_msg=lambda x: "DONE" in (x.get("content") or ""),
        llm_config=chat.llm_config,
        functions=[process],
    )
    seen = []
    for event in engineer.run_iter(message=message, max_turns=3, yield_on=[StageEvent, TextEvent, ToolCallEvent]):
        if isinstance(event, StageEvent):
            seen.append(event.content.stage)
        elif isinstance(event, TextEvent):
            last = event.content.content
    return f"{last} Stages: {', '.join(seen)}."


def answers(asked):
    return f"Turn {asked.turn} is DONE." if asked.number == 2 else [("process", {"records": 5})]


EXPECTED = {
    "says": ["engineer"],
    "summary": "Stages: extract, load.",
    "memory": False,
    "stop": 2,
}
