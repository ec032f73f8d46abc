"""Long prompts under short timeouts, clients that leave, and timeouts of theirs."""

import asyncio
import random
import time

import anthropic
import openai

from . import chat_cases, messages_cases
from .harness import case, raises, require, require_equal

READ_TIMEOUT_S = 15
PROMPT_TOKENS = 60_000
ENDLESS = {"max_tokens": 500_000, "extra_body": {"ignore_eos": True}}


def long_text(server, seed):
    """About so many tokens, and a beginning that no other prompt has."""
    words = "cat dog mat river house small big old red blue runs sits looks walks sleeps and the a".split()
    picked = random.Random(seed).choices(words, k=PROMPT_TOKENS)
    text = " ".join(picked)
    tokens = server.json("/tokenize", {"prompt": text})["count"]
    return " ".join(picked[:len(picked) * PROMPT_TOKENS // tokens])


def timed(ask):
    start = time.monotonic()
    answer = ask()
    seconds = time.monotonic() - start
    print(f"    {seconds:.0f} s for {PROMPT_TOKENS} tokens")
    return answer


@case("openai", "patience: a long prompt, whole")
def long_whole(world):
    client = chat_cases.client_of(world.server, timeout=openai.Timeout(600, read=READ_TIMEOUT_S))
    messages = [{"role": "user", "content": long_text(world.server, 1)}]
    answer = timed(lambda: chat_cases.ask(client, messages=messages, max_tokens=2))
    require(answer.usage.prompt_tokens > 0.9 * PROMPT_TOKENS, f"{answer.usage.prompt_tokens} tokens")
    require_equal(answer.usage.completion_tokens, 2)


@case("openai", "patience: a long prompt, streamed")
def long_streamed(world):
    client = chat_cases.client_of(world.server, timeout=openai.Timeout(600, read=READ_TIMEOUT_S))
    messages = [{"role": "user", "content": long_text(world.server, 2)}]
    chunks = timed(lambda: list(chat_cases.ask(client, messages=messages, max_tokens=2, stream=True)))
    require(chat_cases.text_of_chunks(chunks) and len(chunks) > 10, "no heartbeats")


@case("openai", "patience: a long prompt, responses.stream()")
def long_responses(world):
    client = chat_cases.client_of(world.server, timeout=openai.Timeout(600, read=READ_TIMEOUT_S))
    text = long_text(world.server, 3)
    start = time.monotonic()
    silence = 0.0
    with client.responses.stream(model="m", input=text, max_output_tokens=2) as stream:
        for _ in stream:
            now = time.monotonic()
            silence, start = max(silence, now - start), now
    require(silence < 10, f"{silence:.1f} s without an event")


@case("anthropic", "patience: a long prompt, whole and streamed")
def long_messages(world):
    client = messages_cases.client_of(world.server, timeout=anthropic.Timeout(600, read=READ_TIMEOUT_S))
    messages = [{"role": "user", "content": long_text(world.server, 4)}]
    message = timed(lambda: client.messages.create(**messages_cases.options_of(messages=messages, max_tokens=2)))
    require_equal(message.usage.output_tokens, 2)
    messages = [{"role": "user", "content": long_text(world.server, 5)}]
    with client.messages.stream(**messages_cases.options_of(messages=messages, max_tokens=2)) as stream:
        require_equal(timed(stream.get_final_message).usage.output_tokens, 2)


def leave_after_some(stream):
    for i, _ in enumerate(stream):
        if i == 20:
            break
    stream.close()


@case("both", "leaving: in the middle of a stream")
def leaving(world):
    with world.start() as server:
        client = chat_cases.client_of(server)
        leave_after_some(chat_cases.ask(client, stream=True, **ENDLESS))
        server.require_idle_within(2)
        leave_after_some(client.responses.create(model="m", input="The cat", stream=True,
                                                 extra_body={"ignore_eos": True}))
        server.require_idle_within(2)
        options = {**messages_cases.options_of(stream=True), **ENDLESS}
        leave_after_some(messages_cases.client_of(server).messages.create(**options))
        server.require_idle_within(2)


@case("both", "leaving: while the prompt is computed")
def leaving_early(world):
    with world.start() as server:
        messages = [{"role": "user", "content": long_text(server, 6)}]
        for streams in (False, True):
            client = chat_cases.client_of(server, timeout=1.5)
            with raises(openai.APITimeoutError):
                if not streams:
                    chat_cases.ask(client, messages=messages)
                else:
                    give_up_after(chat_cases.ask(client, messages=messages, stream=True), 1.5)
            server.require_idle_within(2)


def give_up_after(stream, seconds):
    """Heartbeats keep a read timeout from firing; a user's patience is another one."""
    end = time.monotonic() + seconds
    for _ in stream:
        if time.monotonic() > end:
            break
    stream.close()
    raise openai.APITimeoutError(request=stream.response.request)


@case("openai", "leaving: timeouts of a whole answer, cancelled tasks")
def timeouts(world):
    with world.start() as server:
        with raises(openai.APITimeoutError):
            chat_cases.ask(chat_cases.client_of(server, timeout=0.5), **ENDLESS)
        server.require_idle_within(2)

        async def run():
            async with chat_cases.async_client_of(server) as client:
                task = asyncio.create_task(chat_cases.ask(client, **ENDLESS))
                await asyncio.sleep(0.5)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError:
                    return
                raise AssertionError("not cancelled")
        asyncio.run(run())
        server.require_idle_within(2)
        require("outcome=gone" in server.log(), "the log does not tell of it")


@case("openai", "leaving: what was computed is there for the next try")
def leaving_and_coming_back(world):
    with world.start() as server:
        messages = [{"role": "user", "content": long_text(server, 7)}]
        with raises(openai.APITimeoutError):
            chat_cases.ask(chat_cases.client_of(server, timeout=3), messages=messages)
        answer = chat_cases.ask(chat_cases.client_of(server), messages=messages, max_tokens=1)
        require(answer.usage.prompt_tokens_details.cached_tokens > 1000, "nothing was kept")
