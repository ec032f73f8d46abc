"""Random requests that are good, and what their answers have to be."""

import json
import pathlib
import re

from clients.harness import parse_events, require, require_equal

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LINES = (ROOT / "data/book.txt").read_text().splitlines()
BEGINNINGS = 6  # texts that many prompts begin with
GETS = ["/v1/models", "/v1/models/any", "/health", "/ready", "/metrics", "/openapi.json"]


def documented_statuses(openapi):
    """By path; those of a model's name as /v1/models/."""
    return {path.split("{")[0]: {int(status) for status in operation["responses"]}
            for path, item in openapi["paths"].items() for operation in item.values()}


def text(random, lines_max=12):
    start = random.randrange(BEGINNINGS) * 300 if random.random() < 0.7 else random.randrange(len(LINES))
    return "\n".join(LINES[start:start + random.randrange(1, lines_max)]) + f"\nSay {random.randrange(1000)}."


def sampling(random):
    """Fields that all dialects know, each often left out."""
    fields = {"temperature": random.choice([0, 0.7, 2]), "top_p": random.random(), "top_k": random.choice([-1, 1, 40]),
              "min_p": 0.05, "seed": random.randrange(-5, 5), "cache_salt": random.choice(["salt", "pepper"]),
              "prompt_cache_key": f"chat {random.randrange(9)}", "priority": random.randrange(-3, 3),
              "ignore_eos": random.random() < 0.3, "logit_bias": {"7": -100, "12": 2.5}, "repetition_penalty": 1.1,
              "model": "any", "stream": random.random() < 0.5}
    return {name: value for name, value in fields.items() if random.random() < 0.4 or name == "stream"}


def token_count(random):
    return random.choice([1, 2, 5, 20, 60]) if random.random() < 0.9 else 300


def messages(random):
    turns = [{"role": ["user", "assistant"][i % 2], "content": text(random)} for i in range(random.choice([1, 1, 3]))]
    return ([{"role": "system", "content": "Be brief."}] if random.random() < 0.3 else []) + turns


def chat_body(random):
    body = {"messages": messages(random), "max_tokens": token_count(random), **sampling(random)}
    if random.random() < 0.3:
        body.update({"logprobs": True, "top_logprobs": random.randrange(21)})
    return {**body, "n": random.choice([1, 1, 1, 3]), "reasoning_effort": random.choice(["none", "high"]),
            "stop": random.choice([None, "the", ["Mr", "x"]]), "stream_options": {"include_usage": True}}


def completion_body(random):
    prompt = random.choice([text(random), [text(random), "b"], [5, 6, 7], [[5, 6], [7]]])
    return {"prompt": prompt, "max_tokens": token_count(random), "n": random.choice([1, 1, 2]),
            "echo": random.random() < 0.3, "logprobs": random.choice([None, 2]), **sampling(random),
            "stream_options": {"include_usage": True}}


def responses_body(random):
    return {"input": random.choice([text(random), messages(random)]), "max_output_tokens": token_count(random),
            **sampling(random)}


def messages_body(random):
    return {"messages": messages(random), "max_tokens": token_count(random), "system": text(random, 4),
            "stop_sequences": ["the"], **sampling(random)}


def check_usage(prompt, cached, generated, total):
    require(0 <= cached <= prompt and generated >= 0, f"{cached} of {prompt} tokens cached, {generated} generated")
    require_equal(total, prompt + generated, "total tokens")


def choice_count(body):
    prompt = body.get("prompt")
    is_list = isinstance(prompt, list) and not isinstance(prompt[0], int)
    return body["n"] * (len(prompt) if is_list else 1)


def check_choices(body, answer):
    """Of Chat Completions and Completions, whole or streamed: each choice ends once."""
    if body["stream"]:
        events = [data for _, data in parse_events(answer.body.decode())]
        require_equal(events.pop(), "[DONE]", "the last event")
    else:
        events = [json.loads(answer.body)]
    for event in events:
        require("error" not in event, f"an error in an answer: {event}")
    ended = sorted(choice["index"] for event in events for choice in event["choices"] if choice["finish_reason"])
    require_equal(ended, list(range(choice_count(body))), "choices that ended")
    usage = events[-1]["usage"]
    check_usage(usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"], usage["completion_tokens"],
                usage["total_tokens"])
    return events


def check_chat(body, answer):
    """Returns the text of the first choice."""
    said = []
    for event in check_choices(body, answer):
        for choice in event["choices"]:
            part = choice["delta" if body["stream"] else "message"]
            if choice["index"] == 0:
                said.append((part.get("reasoning_content") or "", part.get("content") or ""))
    return "\0".join("".join(texts) for texts in zip(*said))


def check_completion(body, answer):
    return "".join(choice["text"] for event in check_choices(body, answer) for choice in event["choices"]
                   if choice["index"] == 0)


def check_responses(body, answer):
    if body["stream"]:
        events = [data for _, data in parse_events(answer.body.decode())]
        require_equal([event["sequence_number"] for event in events], list(range(len(events))), "sequence numbers")
        require_equal(events[0]["type"], "response.created", "the first event")
        response = events[-1]["response"]
        require_equal(events[-1]["type"], "response." + response["status"], "the last event")
    else:
        response = json.loads(answer.body)
    require(response.get("status") in ("completed", "incomplete"), f"a response that is {response.get('status')}")
    usage = response["usage"]
    check_usage(usage["input_tokens"], usage["input_tokens_details"]["cached_tokens"], usage["output_tokens"],
                usage["total_tokens"])
    return "\0".join(part["text"] for item in response["output"] for part in item["content"])


def check_blocks(events):
    """The blocks of a streamed message, one behind the other; returns their texts."""
    texts = []
    for event in events:
        if event["type"] == "content_block_start":
            require_equal(event["index"], len(texts), "index of a block")
            texts.append("")
        elif event["type"] == "content_block_delta":
            require_equal(event["index"], len(texts) - 1, "index of a delta")
            texts[-1] += event["delta"].get("thinking") or event["delta"].get("text") or ""
    return texts


def check_messages(body, answer):
    if body["stream"]:
        events = [data for _, data in parse_events(answer.body.decode())]
        types = [event["type"] for event in events]
        require("error" not in types, f"an error in an answer: {events[-1]}")
        require_equal((types[0], types[-2:]), ("message_start", ["message_delta", "message_stop"]), "types of events")
        require_equal(types.count("content_block_stop"), types.count("content_block_start"), "blocks that end")
        usage, texts = events[-2]["usage"], check_blocks(events)
    else:
        message = json.loads(answer.body)
        require_equal(message["type"], "message", "type")
        usage = message["usage"]
        texts = [block.get("thinking") or block.get("text") or "" for block in message["content"]]
    require(min(usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) >= 0, f"{usage}")
    return "\0".join(texts)


COMPLETIONS = {
    "/v1/chat/completions": (chat_body, check_chat),
    "/v1/completions": (completion_body, check_completion),
    "/v1/responses": (responses_body, check_responses),
    "/v1/messages": (messages_body, check_messages),
}
COUNTS = {"/v1/responses/input_tokens": responses_body, "/v1/messages/count_tokens": messages_body}


def question(random):
    """(path, body) of one of few that always have the same answer; streamed or not."""
    path = random.choice(list(COMPLETIONS))
    number = random.randrange(3)
    asked = "\n".join(LINES[number * 300:number * 300 + 5])
    body = {"temperature": 1, "seed": number, "stream": random.random() < 0.5, "n": 1,
            "cache_salt": random.choice([None, "salt"])}
    count = "max_output_tokens" if path == "/v1/responses" else "max_tokens"
    name = {"/v1/responses": "input", "/v1/completions": "prompt"}.get(path, "messages")
    body.update({count: 24, name: [{"role": "user", "content": asked}] if name == "messages" else asked})
    if path in ("/v1/chat/completions", "/v1/completions"):
        body["stream_options"] = {"include_usage": True}
    return path, body


def check_error(answer):
    error = json.loads(answer.body)["error"]
    require(isinstance(error["message"], str) and error["message"], f"an error without a message: {error}")
    if answer.status == 429:
        require(re.fullmatch(r"\d+", answer.headers.get("retry-after", "")), "429 without Retry-After")
