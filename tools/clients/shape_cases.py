"""Our own responses have every field that a client needs: those that its types demand, those without
which its helpers crash though its types do not say so, and those that it adds up."""

import functools
import json

import anthropic.types
import openai.types
import openai.types.chat
import openai.types.responses
import pydantic

from .harness import case, require, require_equal

CHAT_USAGE = ["usage.prompt_tokens", "usage.completion_tokens", "usage.total_tokens",
              "usage.prompt_tokens_details.cached_tokens", "usage.prompt_tokens_details.cache_write_tokens",
              "usage.completion_tokens_details.reasoning_tokens", "usage.prompt_cache_hit_tokens",
              "usage.prompt_cache_miss_tokens"]
CHAT = ["id", "created", "model", "system_fingerprint", "choices[].index", "choices[].message.role",
        "choices[].message.content", "choices[].finish_reason", *CHAT_USAGE]
CHAT_CHUNK = ["id", "created", "model", "choices"]
CHAT_CHOICE = ["choices[].index", "choices[].delta"]
LOGPROBS = [f"choices[].logprobs.content[].{name}" for name in (
    "token", "logprob", "bytes", "top_logprobs[].token", "top_logprobs[].logprob", "top_logprobs[].bytes")]
COMPLETION = ["id", "created", "model", "choices[].index", "choices[].text", "choices[].finish_reason",
              "choices[].logprobs.tokens", "choices[].logprobs.token_logprobs",
              "choices[].logprobs.top_logprobs", "choices[].logprobs.text_offset", *CHAT_USAGE]
COMPLETION_CHUNK = ["id", "created", "model", "choices"]
RESPONSE = ["id", "created_at", "status", "model", "output", "parallel_tool_calls", "tool_choice", "tools",
            "output[].id", "output[].type", "output[].content[].text"]
RESPONSE_USAGE = ["usage.input_tokens", "usage.input_tokens_details.cached_tokens",
                  "usage.input_tokens_details.cache_write_tokens", "usage.output_tokens",
                  "usage.output_tokens_details.reasoning_tokens", "usage.total_tokens"]
DELTA = ["item_id", "output_index", "content_index", "delta"]
RESPONSE_EVENTS = {
    "response.created": ["response.id"],
    "response.in_progress": ["response.id"],
    "response.output_item.added": ["output_index", "item.id", "item.type", "item.content"],
    "response.content_part.added": ["item_id", "output_index", "content_index", "part.type", "part.text"],
    "response.reasoning_text.delta": DELTA,
    "response.output_text.delta": [*DELTA, "logprobs"],
    "response.reasoning_text.done": ["item_id", "output_index", "content_index", "text"],
    "response.output_text.done": ["item_id", "output_index", "content_index", "text"],
    "response.content_part.done": ["item_id", "output_index", "content_index", "part.text"],
    "response.output_item.done": ["output_index", "item.id", "item.type", "item.content"],
    "response.completed": [f"response.{path}" for path in RESPONSE + RESPONSE_USAGE],
    "response.incomplete": [f"response.{path}" for path in RESPONSE + RESPONSE_USAGE],
}
MESSAGE_USAGE = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens",
                 "cache_creation.ephemeral_5m_input_tokens", "cache_creation.ephemeral_1h_input_tokens",
                 "output_tokens_details.thinking_tokens"]
MESSAGE = ["id", "type", "role", "model", "content[].type", "stop_reason",
           *(f"usage.{path}" for path in MESSAGE_USAGE)]
MESSAGE_EVENTS = {
    "message_start": ["message.id", "message.role", "message.model", "message.content",
                      *(f"message.usage.{path}" for path in MESSAGE_USAGE)],
    "ping": [],
    "content_block_start": ["index", "content_block.type"],
    "content_block_delta": ["index", "delta.type"],
    "content_block_stop": ["index"],
    "message_delta": ["delta.stop_reason", *(f"usage.{path}" for path in MESSAGE_USAGE)],
    "message_stop": [],
}
# What a block must begin with and go on with, by its kind.
BLOCK_STARTS = {"text": ["text"], "thinking": ["thinking", "signature"]}
BLOCK_DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}

CHAT_BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 300}
TEXT_BODY = {"model": "m", "prompt": ["Hello", "The cat"], "max_tokens": 8}
RESPONSE_BODY = {"model": "m", "input": "Hello", "max_output_tokens": 300}
USAGE = {"stream_options": {"include_usage": True}}


def values_at(value, path):
    """All values at "choices[].delta"; missing ones and null are an error."""
    found = [value]
    for name in path.split("."):
        is_list = name.endswith("[]")
        inner = []
        for one in found:
            require(isinstance(one, dict) and one.get(name.removesuffix("[]")) is not None,
                    f"{path}: no {name} in {json.dumps(one)[:200]}")
            inner += one[name.removesuffix("[]")] if is_list else [one[name]]
        found = inner
    return found


def require_fields(value, paths):
    for path in paths:
        values_at(value, path)


@functools.cache
def adapter_of(kind):
    return pydantic.TypeAdapter(kind)


def require_valid(kind, value):
    """Nothing that the type demands is missing or of another type, to the letter of JSON."""
    adapter_of(kind).validate_json(json.dumps(value), strict=True)


def check_chat_chunks(events):
    require_equal(events.pop(), (None, "[DONE]"), "last event")
    for i, (name, chunk) in enumerate(events):
        require(name is None, "an event with a name")
        require_fields(chunk, CHAT_CHUNK)
        if chunk["choices"]:
            require_fields(chunk, CHAT_CHOICE)
        for choice in chunk["choices"]:
            require(None not in choice["delta"].values(), "null in a delta")
        require_valid(openai.types.chat.ChatCompletionChunk, chunk)
        if i == 0:
            require_equal(chunk["choices"][0]["index"], 0, "the first chunk's choice")
    require_equal(events[-1][1]["choices"], [], "choices of the last chunk")
    require_fields(events[-1][1], CHAT_USAGE)


@case("openai", "fields: chat, whole and every chunk")
def chat(world):
    for extra in ({}, {"n": 2}, {"logprobs": True, "top_logprobs": 2}):
        whole = world.server.json("/v1/chat/completions", {**CHAT_BODY, **extra})
        require_fields(whole, CHAT + (LOGPROBS if "logprobs" in extra else []))
        require_valid(openai.types.chat.ChatCompletion, whole)
        check_chat_chunks(world.server.events("/v1/chat/completions", {**CHAT_BODY, **USAGE, **extra}))


def without_first_logprobs(text):
    """The type does not know that a first token has none."""
    for choice in text["choices"]:
        if choice["logprobs"] and choice["logprobs"]["token_logprobs"][:1] == [None]:
            choice["logprobs"]["token_logprobs"][0] = 0.0
            choice["logprobs"]["top_logprobs"][0] = {}
    return text


def without_open_ends(chunk):
    """Nor that a chunk's choice has not ended."""
    for choice in chunk["choices"]:
        choice["finish_reason"] = choice["finish_reason"] or "stop"
    return chunk


@case("openai", "fields: completions, whole and every chunk")
def completions(world):
    for extra in ({}, {"echo": True}, {"n": 2}):
        body = {**TEXT_BODY, "logprobs": 2, **extra}
        whole = world.server.json("/v1/completions", body)
        require_fields(whole, COMPLETION)
        require_valid(openai.types.Completion, without_first_logprobs(whole))
        events = world.server.events("/v1/completions", {**body, **USAGE})
        require_equal(events.pop(), (None, "[DONE]"), "last event")
        for _, chunk in events:
            require_fields(chunk, COMPLETION_CHUNK)
            require_valid(openai.types.Completion, without_open_ends(without_first_logprobs(chunk)))
        require_fields(events[-1][1], CHAT_USAGE)


def check_items(events):
    """Items are added before anything is said of them, and stay who they are."""
    added = {}
    for event in events:
        index = event.get("output_index")
        if event["type"] == "response.output_item.added":
            require(index not in added, "added twice")
            added[index] = (event["item"]["id"], event["item"]["type"])
            require_equal(event["item"]["content"], [], "content of a new item")
        elif event["type"] == "response.output_item.done":
            require_equal((event["item"]["id"], event["item"]["type"]), added.get(index), "item")
        elif index is not None:
            require_equal(event["item_id"], added[index][0], "item_id")
    last = [(item["id"], item["type"]) for item in events[-1]["response"]["output"]]
    require_equal(last, [added[i] for i in range(len(added))], "items at the end")


@case("openai", "fields: responses, whole and every event")
def responses(world):
    logprobs = {"include": ["message.output_text.logprobs", "reasoning.encrypted_content"], "top_logprobs": 2}
    for extra in ({}, {"max_output_tokens": 3}, logprobs):
        whole = world.server.json("/v1/responses", {**RESPONSE_BODY, **extra})
        require_fields(whole, RESPONSE + RESPONSE_USAGE)
        require_valid(openai.types.responses.Response, whole)
        events = world.server.events("/v1/responses", {**RESPONSE_BODY, **extra})
        for i, (name, event) in enumerate(events):
            require_equal(name, event["type"], "name")
            require_equal(event["sequence_number"], i, "sequence_number")
            require_fields(event, RESPONSE_EVENTS[name])
            require_valid(openai.types.responses.ResponseStreamEvent, event)
        ids = {event["response"]["id"] for _, event in events if "response" in event}
        require_equal(len(ids), 1, "ids of the response")
        require_equal(events[0][0], "response.created", "first event")
        require_equal(events[-1][0], "response." + events[-1][1]["response"]["status"], "last event")
        check_items([event for _, event in events])


def check_blocks(events):
    for event in events:
        if event["type"] == "content_block_start":
            require_fields(event["content_block"], BLOCK_STARTS[event["content_block"]["type"]])
        elif event["type"] == "content_block_delta":
            require_fields(event["delta"], [BLOCK_DELTAS[event["delta"]["type"]]])


@case("anthropic", "fields: messages, whole and every event")
def messages(world):
    whole = world.server.json("/v1/messages", CHAT_BODY)
    require_fields(whole, MESSAGE)
    require("stop_sequence" in whole, "no stop_sequence")
    require_valid(anthropic.types.Message, whole)
    events = world.server.events("/v1/messages", CHAT_BODY)
    for name, event in events:
        require_equal(name, event["type"], "name")
        require_fields(event, MESSAGE_EVENTS[name])
        if name != "ping":
            require_valid(anthropic.types.RawMessageStreamEvent, event)
    check_blocks([event for _, event in events])
    count = world.server.json("/v1/messages/count_tokens", CHAT_BODY)
    require_valid(anthropic.types.MessageTokensCount, count)


@case("both", "fields: models")
def models(world):
    listed = world.server.json("/v1/models")
    require_fields(listed, ["object", "data[].id", "data[].object", "data[].owned_by", "data[].created",
                            "data[].max_model_len", "data[].meta.n_ctx", "data[].type", "data[].display_name",
                            "data[].created_at", "data[].max_input_tokens", "data[].max_tokens",
                            "data[].lifecycle", "has_more", "first_id", "last_id"])
    for one in (listed["data"][0], world.server.json("/v1/models/anything")):
        require_valid(openai.types.Model, one)
        require_valid(anthropic.types.ModelInfo, one)
