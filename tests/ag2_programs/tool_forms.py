"""Tools of the forms that the tool guide shows, called at once: sync, async, pydantic, dict, None, injected.

All six run in one round, and the bot then says one sentence. Two calls.
"""

import asyncio
from typing import Annotated, Literal

from autogen import AssistantAgent, UserProxyAgent
from autogen.tools import Depends
from autogen.tools.dependency_injection import BaseContext
from pydantic import BaseModel, Field


class Money(BaseModel):
    currency: Annotated[Literal["USD", "EUR"], Field(..., description="The currency")]
    amount: Annotated[float, Field(0, description="The amount")]


class Account(BaseContext, BaseModel):
    owner: str
    balance: int = 300


account = Account(owner="bob")


def build(llm_config, chat):
    bot = AssistantAgent("bot", system_message="You are bot. Reply TERMINATE when done.", llm_config=llm_config)
    user = UserProxyAgent(
        "user_proxy",
        is_termination_msg=lambda x: x.get("content", "") and x["content"].rstrip().endswith("TERMINATE"),
        human_input_mode="NEVER",
        max_consecutive_auto_reply=10,
        code_execution_config=False,
    )

    @user.register_for_execution()
    @bot.register_for_llm(description="Exchange money.")
    def exchange(base: Annotated[Money, "Base"], quote: Annotated[Literal["USD", "EUR"], "Quote"] = "USD") -> Money:
        return Money(currency=quote, amount=base.amount * 2)

    @user.register_for_execution()
    @bot.register_for_llm(description="Wait.")
    async def timer(seconds: Annotated[int, "Seconds"]) -> str:
        await asyncio.sleep(seconds / 1000)
        return "The timer rang"

    @user.register_for_execution()
    @bot.register_for_llm(description="A weather report.")
    def report(city: str) -> dict:
        return {"city": city, "temperature": 3, "wind": None}

    @user.register_for_execution()
    @bot.register_for_llm(description="Nothing.")
    def nothing() -> None:
        return None

    @user.register_for_execution()
    @bot.register_for_llm(description="The balance.")
    def balance(account: Annotated[Account, Depends(account)]) -> str:
        return f"balance {account.balance}"

    @user.register_for_execution()
    @bot.register_for_llm(description="The nth prime.")
    def squares(n: int) -> list[int]:
        return [i * i for i in range(n)]

    return user, bot


def answers(asked):
    if asked.tells:
        return f"All done in turn {asked.turn}. TERMINATE"
    return [
        ("exchange", {"base": {"currency": "EUR", "amount": 2.5}}),
        ("timer", {"seconds": 1}),
        ("report", {"city": "Oslo"}),
        ("nothing", {}),
        ("balance", {}),
        ("squares", {"n": 3}),
    ]


def check(turns):
    for turn in turns[:3]:
        results = " ".join(turn.results)
        for part in ("5.0", "The timer rang", "Oslo", "balance 300", "4"):
            assert part in results, (part, results)
        assert len(turn.results) == 6


EXPECTED = {"calls": 2, "says": ["bot"], "summary": "All done in turn {turn}.", "stop": 2}
