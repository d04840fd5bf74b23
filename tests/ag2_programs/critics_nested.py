"""A writer whose nested chats ask two critics one after another before each answer (register_nested_chats).

The critics are within the writer, which then says the second one's words. Two calls, and one for a reflection.
"""

from autogen import ConversableAgent, UserProxyAgent


def reflect(recipient, messages, sender, config):
    return f"Review this: {recipient.chat_messages_for_summary(sender)[-1]['content']}"


def build(llm_config, chat):
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, max_consecutive_auto_reply=0)
    writer = ConversableAgent("writer", system_message="You are writer.", llm_config=llm_config)
    style = ConversableAgent("style_critic", system_message="You are style_critic.", llm_config=llm_config)
    legal = ConversableAgent("legal_critic", system_message="You are legal_critic.", llm_config=llm_config)
    writer.register_nested_chats(
        [
            {"recipient": style, "message": reflect, "max_turns": 1, "summary_method": "reflection_with_llm"},
            {"recipient": legal, "message": "Check the law.", "max_turns": 1, "summary_method": "last_msg"},
        ],
        trigger=user,
    )
    return user, writer


def answers(asked):
    return "A takeaway." if asked.number == 2 else None


EXPECTED = {
    "calls": 3,
    "says": ["style_critic<writer", "legal_critic<writer", "writer"],
    "summary": "legal_critic gives answer 3 in turn {turn}.",
    "stop": 3,
    "memory": False,
}
