"""A human with human_input_mode ALWAYS and no model talks to a planner, as in the guide's first pages.

Each message is a turn with one answer; nothing is asked. One call.
"""

from autogen import ConversableAgent


def build(llm_config, chat):
    planner = ConversableAgent("lesson_planner", system_message="You are lesson_planner.", llm_config=llm_config)
    human = ConversableAgent("the_human", human_input_mode="ALWAYS")
    return human, planner


EXPECTED = {"calls": 1, "says": ["lesson_planner"], "summary": "lesson_planner gives answer 1 in turn {turn}."}
