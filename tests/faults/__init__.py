"""Fault tests: connections are cut and servers killed at random moments, and conversations must survive.

python -m tests.faults --schedules 300 --seed 1

plan.py → schedule.py → checks.py           a schedule is drawn and run, and its evidence checked
              ↓
person.py, talk.py, acting.py               the clients, the known state of a session, and what people do next
servers.py → zygote.py                      servers that start in a tenth of a second and can be killed
model.py, agents.py                         the model and the agents
"""
