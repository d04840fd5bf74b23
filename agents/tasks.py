"""Breaks a goal into tasks and keeps the plan up to date. You see it as a checklist, and can tick it as well."""

from autogen import ConversableAgent, LLMConfig, UpdateSystemMessage, UserProxyAgent, register_function

from agentchat.chat import Chat

ICON = "list"
COLOR = "#8f5a00"
SUGGESTIONS = ["Plan a birthday party for ten people", "What is left to do?", "The first task is done"]

PROMPT = """You plan. Break what the person wants to reach into tasks with create_task, each with the numbers of the
tasks that must be done before it. Keep the plan true with update_task and complete_task as the person tells you how it
goes; they tick tasks as well, so look with list_tasks before you speak of the plan. Afterwards say in one or two
sentences what comes next; do not repeat the plan, the person sees it. Level of detail: {detail_level}."""


def build(llm_config: LLMConfig, chat: Chat) -> tuple[UserProxyAgent, ConversableAgent]:
    def create_task(title: str, details: str | None = None, depends_on: list[int] | None = None) -> str:
        task = chat.plan.create(title, details or "", depends_on or ())
        return f"Task {task.id} is made: {task.title}"

    def list_tasks() -> str:
        lines = [f"{t.id}. [{t.status}] {t.title}{_after(t.depends_on)} {t.details}".strip() for t in chat.plan.tasks]
        return "\n".join(lines) or "There are no tasks yet."

    def update_task(
        task_id: int,
        title: str | None = None,
        details: str | None = None,
        depends_on: list[int] | None = None,
        status: str | None = None,
    ) -> str:
        chat.plan.update(task_id, title=title, details=details, depends_on=depends_on, status=status)
        return f"Task {task_id} is changed."

    def complete_task(task_id: int) -> str:
        return f"Done: {chat.plan.update(task_id, status='done').title}"

    def prompt(agent: ConversableAgent, messages: list[dict[str, object]]) -> str:
        return PROMPT.format(detail_level=chat.context.get("detail_level", "medium"))

    agent = ConversableAgent(
        "planner",
        llm_config=llm_config,
        human_input_mode="NEVER",
        update_agent_state_before_reply=[UpdateSystemMessage(prompt)],
    )
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool, description in {
        create_task: "Create a task of the plan. depends_on: numbers of the tasks that come before it.",
        list_tasks: "List the tasks of the plan: what is open, what is left to do.",
        update_task: "Change a task. status is open, doing or done.",
        complete_task: "Complete a task: it is done.",
    }.items():
        register_function(tool, caller=agent, executor=user, description=description)
    return user, agent


def _after(ids: tuple[int, ...]) -> str:
    return f" (after {', '.join(map(str, ids))})" if ids else ""
