"""Conversations with a real model: SmolLM2 (135M, 4 bits) served by llama.cpp's own server.

python -m tests.real_model --model-python .venv-real/bin/python

claims.py → turns.py                        what must hold, and how a turn was seen by a client
model.py → llama_server.py                  the model server as a process, and requests to it without the chat server
agents.py, chat_template.jinja              the agents, and how their messages become a prompt
"""
