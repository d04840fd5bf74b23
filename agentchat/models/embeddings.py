"""Embeddings of texts, from the model server's `/v1/embeddings`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import openai
from autogen import LLMConfig
from openai.types import CreateEmbeddingResponse

from agentchat.knowledge import EmbeddingError
from agentchat.models import transport
from agentchat.models.transport import server_name
from agentchat.protocol.errors import ChatError, SettingsError

OPENAI = "openai"  # AG2's api_type for servers that have /v1/embeddings
TIMEOUT = 30.0  # seconds for one request
MAX_CHARS = 8000  # of one text; models take about 8,000 tokens at most


class Embeddings:
    """One embedding model, reached through the connection pool of the chat models."""

    def __init__(self, config: LLMConfig, model: str) -> None:
        """Raises SettingsError if no model server is configured that could have the model."""
        entry = next((each for each in config.config_list if each.api_type == OPENAI), None)
        if entry is None or entry.http_client is None:
            raise SettingsError(
                f"The embedding model {model} needs a model entry that speaks the OpenAI protocol. "
                "Configure one, or leave AGENTCHAT_EMBEDDING_MODEL empty."
            )
        self.model = model
        self._client = openai.OpenAI(
            api_key=entry.api_key.get_secret_value(),
            base_url=str(entry.base_url) if entry.base_url else None,
            http_client=entry.http_client,
            timeout=TIMEOUT,
            max_retries=0,  # the client's transport retries
        )
        self._server = server_name(self._client.base_url)

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text. Raises EmbeddingError."""
        shortened = [text[:MAX_CHARS] for text in texts]
        try:
            with _outside_the_turn():
                answer: Any = self._client.embeddings.create(model=self.model, input=shortened, encoding_format="float")
        except openai.APIStatusError as error:
            raise self._error(f"answered with HTTP {error.status_code}") from error
        except openai.APITimeoutError as error:
            raise self._error("did not answer in time") from error
        except openai.APIConnectionError as error:
            reason = f": {error.__cause__}" if isinstance(error.__cause__, ChatError) else ""
            raise self._error(f"cannot be reached{reason}") from error
        except (openai.OpenAIError, ValueError) as error:
            raise self._error("sent an answer that makes no sense") from error
        vectors = _vectors(answer)
        if len(vectors) != len(texts):
            raise self._error(f"sent {len(vectors)} usable vectors for {len(texts)} texts")
        return vectors

    def _error(self, problem: str) -> EmbeddingError:
        return EmbeddingError(f"the server of the embedding model {self.model} at {self._server} {problem}")


def _vectors(answer: Any) -> list[list[float]]:
    """Return the valid vectors of an answer, in the order of the texts."""
    if not isinstance(answer, CreateEmbeddingResponse) or not isinstance(answer.data, list):
        return []
    vectors = [(each.index, each.embedding) for each in answer.data]
    if all(isinstance(index, int) for index, _ in vectors):
        vectors.sort(key=lambda item: item[0])
    return [vector for _, vector in vectors if vector and all(isinstance(number, (int, float)) for number in vector)]


@contextlib.contextmanager
def _outside_the_turn() -> Iterator[None]:
    """Keep a tool's request out of the turn's model calls, which is limited."""
    token = transport.current.set(None)
    try:
        yield
    finally:
        transport.current.reset(token)
