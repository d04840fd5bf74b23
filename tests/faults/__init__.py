"""Fault tests: connections are cut and servers killed at random moments, and conversations must survive.

python -m tests.faults --schedules 300 --seed 1 --only files,rest

plan.py → schedule.py → verdict.py          a schedule is drawn and run, and judged
              ↓             ↓
           acts/         checks/            one module per kind of acting, and one per kind of check
              ↓
person.py, event_reader.py, rest.py         the clients: WebSocket, event streams, REST
talk.py                                     the known state of a session
servers.py → zygote.py → broken.py          servers that start in a tenth of a second, and what breaks inside them
model.py, agents.py                         the model and the agents
"""
