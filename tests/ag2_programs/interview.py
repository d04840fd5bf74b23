"""A small state machine: `chat.state` is kept with the session.

It counts over the restart. One call.
"""

from autogen import AssistantAgent, UserProxyAgent

STEPS = ["name", "age", "town"]


def on_message(message, chat):
    step = chat.state.get("step", 0)
    chat.state["step"] = step + 1
    chat.state["said"] = [*chat.state.get("said", []), message]
    agent = AssistantAgent("reporter", system_message="You are reporter.", llm_config=chat.llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    user.initiate_chat(agent, message=" ".join(chat.state["said"]), max_turns=1)
    return f"Step {step}: {STEPS[step % 3]}? ({len(chat.state['said'])} said)"


def check(turns):
    assert "Turn 2" in turns[2].requests[0].last, "the state is forgotten"


EXPECTED = {"calls": 1, "summary": "Step"}
