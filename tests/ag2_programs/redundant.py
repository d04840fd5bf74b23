"""The redundant pattern: a NestedChatTarget asks two agents apart, an evaluator picks by a tool with a ReplyResult.

The two are within their nested chat; the tool's message is the last word, so it is the turn's answer. Four calls.
"""

from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import (
    AgentTarget,
    ContextExpression,
    ContextVariables,
    ExpressionAvailableCondition,
    ExpressionContextCondition,
    NestedChatTarget,
    OnContextCondition,
    ReplyResult,
    RevertToUserTarget,
)
from autogen.agentchat.group.patterns import DefaultPattern


def build(llm_config, chat):
    def start(task: str, context_variables: ContextVariables) -> ReplyResult:
        """Start a task."""
        context_variables.update({"started": True, "completed": False, "evaluated": False, "task": task, "results": 0})
        return ReplyResult(message=f"Started: {task}", context_variables=context_variables)

    def pick(selected: str, context_variables: ContextVariables) -> ReplyResult:
        """Pick a result."""
        context_variables["evaluated"] = True
        context_variables["started"] = False
        return ReplyResult(
            message=f"The best is {selected}", context_variables=context_variables, target=RevertToUserTarget()
        )

    boss = ConversableAgent("boss", system_message="You are boss.", functions=[start], llm_config=llm_config)
    workers = [
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=llm_config)
        for name in ("agent_a", "agent_b")
    ]
    judge = ConversableAgent("judge", system_message="You are judge.", functions=[pick], llm_config=llm_config)
    user = UserProxyAgent("user", code_execution_config=False)

    def task(recipient, messages, sender, config):
        return sender.context_variables.get("task", "none")

    def record(sender, recipient, summary_args):
        boss.context_variables["results"] += 1
        boss.context_variables["completed"] = boss.context_variables["results"] == 2
        return recipient.chat_messages[sender][-1]["content"]

    queue = [{"recipient": worker, "message": task, "max_turns": 1, "summary_method": record} for worker in workers]
    boss.handoffs.add_context_conditions(
        [
            OnContextCondition(
                target=NestedChatTarget(nested_chat_config={"chat_queue": queue}),
                condition=ExpressionContextCondition(ContextExpression("${completed} == False")),
                available=ExpressionAvailableCondition(ContextExpression("${started} == True")),
            ),
            OnContextCondition(
                target=AgentTarget(judge),
                condition=ExpressionContextCondition(ContextExpression("${evaluated} == False")),
                available=ExpressionAvailableCondition(ContextExpression("${completed} == True")),
            ),
        ]
    )
    boss.handoffs.set_after_work(RevertToUserTarget())
    judge.handoffs.set_after_work(RevertToUserTarget())
    data = {"started": False, "completed": False, "evaluated": False, "task": "", "results": 0}
    return DefaultPattern(
        initial_agent=boss, agents=[boss, judge], context_variables=ContextVariables(data=data), user_agent=user
    )


def answers(asked):
    if asked.name == "boss":
        return [("start", {"task": f"a poem for turn {asked.turn}"})]
    if asked.name == "judge":
        return [("pick", {"selected": f"agent_b in turn {asked.turn}"})]
    return None


def check(turns):
    for turn in turns[:3]:
        if turn.number == 1:
            assert turn.said[:2] == ["agent_a<boss", "agent_b<boss"], turn.said


EXPECTED = {"calls": (4, None, None), "summary": "The best is agent_b in turn {turn}", "stop": 1}
