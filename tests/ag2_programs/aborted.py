"""`run_iter`, broken off before a tool that is not allowed runs.

No model is called after the end of the turn. (The tool may run: AG2 only lets its thread go on.)
"""

from autogen import ConversableAgent
from autogen.events.agent_events import ToolCallEvent
from autogen.tools import tool


@tool(description="Delete a file.")
def delete_file(path: str) -> str:
    return "deleted"


def on_message(message, chat):
    agent = ConversableAgent("cleaner", system_message="You are cleaner.", llm_config=chat.llm_config)
    for event in agent.run_iter(message=message, tools=[delete_file], max_turns=3):
        if isinstance(event, ToolCallEvent):
            return f"Blocked {event.content.tool_calls[0].function.name} before it ran."
    return "Nothing to block."


def answers(asked):
    return [("delete_file", {"path": "x"})]


EXPECTED = {"summary": "Blocked delete_file before it ran.", "memory": False}
