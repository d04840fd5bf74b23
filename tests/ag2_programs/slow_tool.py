"""A tool that blocks for some seconds in turn 4, as slow libraries do; the turn is stopped meanwhile.

The stop does not wait for it, and its result goes nowhere. Two calls.
"""

import time

from autogen import AssistantAgent, UserProxyAgent, register_function


def build(llm_config, chat):
    def scrape(seconds: float) -> str:
        time.sleep(seconds)
        print("PRINTED: scraped")
        return "a page"

    agent = AssistantAgent("scraper", system_message="You are scraper.", llm_config=llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    register_function(scrape, caller=agent, executor=user, description="Scrape a page.")
    return user, agent


def answers(asked):
    if asked.tells:
        return f"Scraped in turn {asked.turn}. TERMINATE"
    return [("scrape", {"seconds": 1 if asked.turn == 4 else 0})]


def check(turns):
    assert turns[3].end["duration_ms"] < 900
    assert len(turns[4].contents("executed_function")) == 1


EXPECTED = {"calls": 2, "says": ["scraper"], "summary": "Scraped in turn {turn}.", "stop": "execute_function"}
