"""A student and a teacher, two agents with models, talk for two rounds; a model sums it up.

Teacher, student, teacher; the answer is the reflection, which the teacher is said to say. Four calls.
"""

from autogen import ConversableAgent

from agentchat.chat import Run


def build(llm_config, chat):
    student = ConversableAgent(
        name="Student_Agent", system_message="You are Student_Agent, willing to learn.", llm_config=llm_config
    )
    teacher = ConversableAgent(
        name="Teacher_Agent", system_message="You are Teacher_Agent, a maths teacher.", llm_config=llm_config
    )
    return Run((student, teacher), max_turns=2, summary_method="reflection_with_llm")


def answers(asked):
    return f"In short, lesson {asked.turn}." if asked.number == 4 else None


EXPECTED = {
    "calls": 4,
    "says": ["Teacher_Agent", "Student_Agent", "Teacher_Agent", "Teacher_Agent"],
    "summary": "In short, lesson {turn}.",
    "stop": 2,
}
