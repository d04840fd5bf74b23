"""Sequential chats with carryover: a teacher goes through three experts (the cookbook's sequential chat); text.

Each expert speaks; the turn's answer is the last summary. Three calls, and one for a reflection.
"""

from autogen import ConversableAgent


def on_message(message, chat):
    def agent(name):
        return ConversableAgent(
            name, system_message=f"You are {name}.", llm_config=chat.llm_config, human_input_mode="NEVER"
        )

    teacher = agent("teacher")
    results = teacher.initiate_chats(
        [
            {
                "recipient": agent("curriculum"),
                "message": f"Topic: {message}",
                "max_turns": 1,
                "summary_method": "last_msg",
            },
            {
                "recipient": agent("planner"),
                "message": "Make a plan.",
                "max_turns": 1,
                "summary_method": "reflection_with_llm",
            },
            {
                "recipient": agent("reviewer"),
                "message": lambda sender, recipient, context: f"Review: {context['carryover'][-1]}",
                "max_turns": 1,
            },
        ]
    )
    print("PRINTED: the chain is done")
    return f"Plan: {results[-1].summary}"


def answers(asked):
    return "A takeaway." if asked.number == 3 else None


def check(turns):
    for turn in turns[:3]:
        assert "curriculum gives answer" in str(turn.requests[1].body), "no carryover"
        assert "PRINTED: the chain is done" in turn.output


EXPECTED = {
    "calls": 4,
    "says": ["curriculum", "planner", "reviewer"],
    "summary": "Plan: reviewer gives answer 4 in turn {turn}.",
    "memory": False,
    "stop": 2,
}
