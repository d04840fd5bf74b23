"""Context variables that are no JSON: a set, a date, a pydantic object, a Decimal, an enum. A Pattern is returned.

The tool's results count up over the restart. Two calls.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import ContextVariables, ReplyResult, TerminateTarget
from autogen.agentchat.group.patterns import DefaultPattern
from pydantic import BaseModel


class Order(BaseModel):
    number: int = 7


class State(Enum):
    NEW = "new"
    PAID = "paid"


@dataclass
class Stop:
    place: str


def build(llm_config, chat):
    def visit(city: str, context_variables: ContextVariables) -> ReplyResult:
        """Note a visit."""
        values = context_variables
        values["order"] = values["order"] or Order()
        values["seen"].add(f"{city}{len(values['seen']) + 1}")
        values["when"] = values["when"] or date(2026, 1, 1)
        values["price"] = (values["price"] or Decimal("0.10")) * 2
        values["state"] = State.PAID if values["state"] is State.NEW else State.NEW
        values["stop"] = Stop(city)
        told = f"{sorted(values['seen'])} {values['order'].number} {values['when'].year} {values['price']}"
        return ReplyResult(message=f"{told} {values['state'].value}", context_variables=values)

    guide = ConversableAgent("guide", system_message="You are guide.", functions=[visit], llm_config=llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    shared = {"seen": set(), "when": None, "order": None, "price": None, "state": State.NEW, "stop": None}
    return DefaultPattern(
        initial_agent=guide,
        agents=[guide],
        context_variables=ContextVariables(data=shared),
        user_agent=user,
        group_after_work=TerminateTarget(),
    )


def answers(asked):
    return None if asked.tells else [("visit", {"city": "Rome"})]


def check(turns):
    assert "['Rome1'] 7 2026 0.20 paid" in turns[0].results[0]
    assert "['Rome1', 'Rome2'] 7 2026 0.40 new" in turns[1].results[0]
    assert "['Rome1', 'Rome2', 'Rome3'] 7 2026 0.80 paid" in turns[2].results[0]


EXPECTED = {"calls": 2, "says": ["guide"], "summary": "guide gives answer 2 in turn {turn}."}
