"""A lead teacher whose nested chats go through one agent and a whole group (the cookbook's nested chat).

Those within speak within the lead teacher, who then says the formatter's words. Four calls.
"""

from autogen import ConversableAgent, GroupChat, GroupChatManager


def build(llm_config, chat):
    def agent(name):
        return ConversableAgent(
            name, system_message=f"You are {name}.", llm_config=llm_config, human_input_mode="NEVER"
        )

    curriculum, planner, reviewer, lead, formatter = map(
        agent, ("curriculum", "planner", "reviewer", "lead_teacher", "formatter")
    )
    group = GroupChat(
        [planner, reviewer], [], max_round=3, send_introductions=True, speaker_selection_method="round_robin"
    )
    manager = GroupChatManager(group, llm_config=llm_config)
    lead.register_nested_chats(
        [
            {
                "recipient": curriculum,
                "message": lambda recipient, messages, sender, config: f"Standards for {messages[-1]['content']}",
                "max_turns": 1,
                "summary_method": "last_msg",
            },
            {"recipient": manager, "message": "Make a plan.", "max_turns": 1, "summary_method": "last_msg"},
            {"recipient": formatter, "message": "Format it.", "max_turns": 1, "summary_method": "last_msg"},
        ],
        trigger=lambda sender: sender not in [curriculum, manager, reviewer],
    )
    human = ConversableAgent(name="human_agent", human_input_mode="ALWAYS")
    return human, lead


EXPECTED = {
    "calls": 4,
    "says": [
        "curriculum<lead_teacher",
        "planner<lead_teacher",
        "reviewer<lead_teacher",
        "formatter<lead_teacher",
        "lead_teacher",
    ],
    "summary": "formatter gives answer 4 in turn {turn}.",
    "stop": 3,
    "memory": False,
}
