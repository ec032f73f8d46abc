"""Chat Completions with openai (Python)."""

import asyncio

import openai

from .harness import Counted, case, require, require_equal

QUESTION = [{"role": "user", "content": "Tell me about the cat."}]
# Long enough to lie in whole blocks of the cache.
STORY = "The cat sat on the mat and looked at the dog. " * 40
MODEL = "gpt-5"  # any name is good


def client_of(server, **options):
    return openai.OpenAI(base_url=server.url + "/v1", **{"api_key": "none", "max_retries": 0, **options})


def async_client_of(server, **options):
    return openai.AsyncOpenAI(base_url=server.url + "/v1", **{"api_key": "none", "max_retries": 0, **options})


def ask(client, **options):
    return client.chat.completions.create(**{"model": MODEL, "messages": QUESTION, "max_tokens": 24, **options})


def text_of(choice):
    return (getattr(choice.message, "reasoning_content", None) or "") + (choice.message.content or "")


def text_of_chunks(chunks, index=0):
    deltas = [c.delta for chunk in chunks for c in chunk.choices if c.index == index]
    return "".join((getattr(d, "reasoning_content", None) or "") + (d.content or "") for d in deltas)


@case("openai", "chat: plain")
def plain(world):
    answer = ask(client_of(world.server), max_completion_tokens=24)
    require_equal(answer.object, "chat.completion")
    require(answer.model == world.server.json("/v1/models")["data"][0]["id"], "not the true model's name")
    require(answer.choices[0].message.role == "assistant" and text_of(answer.choices[0]), "no text")
    require_equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
    require(answer._request_id, "no x-request-id")


@case("openai", "chat: streamed, with and without usage")
def streamed(world):
    client = client_of(world.server)
    for includes_usage in (False, True):
        options = {"stream_options": {"include_usage": True}} if includes_usage else {}
        chunks = list(ask(client, stream=True, **options))
        require_equal(len({c.id for c in chunks}), 1, "ids")
        require_equal(len({c.created for c in chunks}), 1, "times")
        require_equal(chunks[0].choices[0].delta.role, "assistant")
        require(text_of_chunks(chunks), "no text")
        reasons = [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason]
        require(reasons in (["stop"], ["length"]), f"finish reasons {reasons}")
        require_equal(chunks[-1].usage is not None, includes_usage, "usage at the end")
        require(all(c.usage is None for c in chunks[:-1]), "usage before the end")
        require(chunks[-1].choices == [] or not includes_usage, "a choice beside usage")


@case("openai", "chat: async, plain and streamed")
def asynchronous(world):
    async def run():
        async with async_client_of(world.server) as client:
            answers = await asyncio.gather(*(ask(client, seed=3, max_tokens=300) for _ in range(4)))
            require_equal(len({text_of(a.choices[0]) for a in answers}), 1, "texts of one seed")
            chunks = [chunk async for chunk in await ask(client, stream=True, seed=3,
                                                          max_tokens=300)]
            require_equal(text_of_chunks(chunks), text_of(answers[0].choices[0]))
            async with client.chat.completions.stream(model=MODEL, messages=QUESTION, max_tokens=300,
                                                      seed=3) as stream:
                async for _ in stream:
                    pass
                final = await stream.get_final_completion()
            require_equal(text_of(final.choices[0]), text_of(answers[0].choices[0]))
    asyncio.run(run())


def check_stream_helper(completions):
    options = {"model": MODEL, "messages": QUESTION, "max_tokens": 300, "seed": 3, "n": 2, "logprobs": True,
               "top_logprobs": 2, "stream_options": {"include_usage": True}}
    whole = completions.create(**options)
    with completions.stream(**options) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    require({"chunk", "content.delta", "content.done", "logprobs.content.delta"} <= kinds, f"events {kinds}")
    require_equal([text_of(c) for c in final.choices], [text_of(c) for c in whole.choices])
    require_equal([c.finish_reason for c in final.choices], [c.finish_reason for c in whole.choices])
    require_equal([[t.token for t in c.logprobs.content] for c in final.choices],
                  [[t.token for t in c.logprobs.content] for c in whole.choices])
    require_equal(final.usage.total_tokens, whole.usage.total_tokens)


@case("openai", "chat: stream() helper")
def stream_helper(world):
    check_stream_helper(client_of(world.server).chat.completions)


@case("openai", "chat: beta.chat stream(), parse()")
def beta_helpers(world):
    client = client_of(world.server)
    check_stream_helper(client.beta.chat.completions)
    parsed = client.beta.chat.completions.parse(model=MODEL, messages=QUESTION, max_tokens=300, seed=3)
    require(parsed.choices[0].message.parsed is None, "parsed without a format")


@case("openai", "chat: raw and streamed responses of the client")
def raw_responses(world):
    completions = client_of(world.server).chat.completions
    raw = completions.with_raw_response.create(model=MODEL, messages=QUESTION, max_tokens=4)
    require(raw.headers.get("x-request-id") and raw.parse().choices, "no response")
    with completions.with_streaming_response.create(model=MODEL, messages=QUESTION, max_tokens=4,
                                                    stream=True) as response:
        lines = [line for line in response.iter_lines() if line]
    require_equal(lines[-1], "data: [DONE]")


@case("openai", "chat: n answers")
def several(world):
    answer = ask(client_of(world.server), n=3, seed=11)
    require_equal([c.index for c in answer.choices], [0, 1, 2])
    require(len({text_of(c) for c in answer.choices}) > 1, "the same answer three times")
    chunks = list(ask(client_of(world.server), n=3, seed=11, stream=True))
    require_equal([text_of_chunks(chunks, i) for i in range(3)], [text_of(c) for c in answer.choices])


@case("openai", "chat: logprobs")
def logprobs(world):
    answer = ask(client_of(world.server), logprobs=True, top_logprobs=5, seed=1)
    tokens = answer.choices[0].logprobs.content
    require_equal(len(tokens), answer.usage.completion_tokens, "tokens with log-probabilities")
    require(all(len(t.top_logprobs) == 5 and t.logprob <= 0 for t in tokens), "not five each")
    joined = bytes(b for t in tokens for b in t.bytes).decode(errors="replace")
    require(answer.choices[0].message.content.strip() in joined, "bytes are not the text")
    chunks = list(ask(client_of(world.server), logprobs=True, top_logprobs=5, seed=1, stream=True))
    parts = [c.logprobs.content for chunk in chunks for c in chunk.choices if c.logprobs]
    require_equal([t.token for part in parts for t in part], [t.token for t in tokens])


@case("openai", "chat: stop strings")
def stops(world):
    client = client_of(world.server)
    options = {"seed": 5, "max_tokens": 200, "extra_body": {"thinking": {"type": "disabled"}}}
    options["messages"] = [{"role": "user", "content": STORY + "Tell it again."}]
    whole = ask(client, **options).choices[0].message.content
    require(len(whole) > 8, f"too little to cut: {whole!r}")
    stop = whole[4:7]
    for given in (stop, [stop, "never said"]):
        answer = ask(client, stop=given, **options)
        require_equal(answer.choices[0].message.content, whole[:whole.index(stop)])
        require_equal(answer.choices[0].finish_reason, "stop")


@case("openai", "chat: one seed, one text; caches change counts alone")
def seeds(world):
    client = client_of(world.server)
    messages = [{"role": "user", "content": STORY + "What did it do?"}]
    with Counted(world.server) as first_counts:
        first = ask(client, messages=messages, seed=42)
    with Counted(world.server) as second_counts:
        second = ask(client, messages=messages, seed=42)
    require_equal(text_of(second.choices[0]), text_of(first.choices[0]))
    require_equal(second.system_fingerprint, first.system_fingerprint)
    require(second.usage.prompt_tokens_details.cached_tokens > 128, "nothing cached")
    for usage, counts in ((first.usage, first_counts), (second.usage, second_counts)):
        require_equal(counts["prompt_tokens_total"], usage.prompt_tokens, "prompt tokens")
        require_equal(counts["prompt_tokens_cached_total"], usage.prompt_tokens_details.cached_tokens, "cached")
        require_equal(counts["generation_tokens_total"], usage.completion_tokens, "generated")
    third = ask(client, messages=messages, seed=43)
    require(text_of(third.choices[0]) != text_of(first.choices[0]), "another seed, the same text")


@case("openai", "chat: max tokens")
def token_limits(world):
    client = client_of(world.server)
    for options in ({"max_tokens": 3}, {"max_tokens": 50, "max_completion_tokens": 3}):
        answer = ask(client, **options)
        require_equal((answer.usage.completion_tokens, answer.choices[0].finish_reason), (3, "length"))


@case("openai", "chat: roles, parts, null and empty contents, a turn sent back")
def conversations(world):
    client = client_of(world.server)
    first = ask(client).choices[0].message
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "there"}]},
        first.model_dump(exclude_none=True),
        {"role": "system", "content": "The user is at home."},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
        {"role": "user", "content": "And now?"},
    ]
    require(ask(client, messages=messages).usage.completion_tokens > 0, "nothing said")


@case("openai", "models: list, retrieve")
def models(world):
    client = client_of(world.server)
    listed = list(client.models.list())
    require_equal(len(listed), 1)
    require_equal(client.models.retrieve("gpt-5").id, listed[0].id)
    require_equal(client.models.retrieve(listed[0].id), client.models.list().data[0])
