"""Fault tests: conversations whose connections are cut and whose server is killed, at moments drawn by lot.

python -m tests.faults --schedules 300 --seed 1

plan.py → schedule.py → checks.py           a schedule is drawn, played, and what is left of it is checked
              ↓
person.py, talk.py, acting.py               the clients, what is known of a session, what people do next
servers.py → zygote.py                      servers that start in a tenth of a second and can really be killed
model.py, agents.py                         the model and the agents
"""
