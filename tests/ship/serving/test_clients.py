"""Clients that people use: the `openai` package and curl."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from openai import NotFoundError, OpenAI

from command_line import CommandLine
from preceptor.engine import answer_logprobs
from preceptor.models import Encoded, encode, load_policy
from preceptor.ship.serving._queue import MAX_BATCH_SIZE
from preceptor.study import greedy_generation, held_out, open_arm
from ship.serving.process import Server


def test_eight_clients_at_once_get_the_answers_of_the_study(server: Server, client: OpenAI, served_run: Path) -> None:
    arm = open_arm(served_run, "urgency", "sft")
    cases = held_out(arm)
    expected = [(one.text, one.answer) for one in arm.predictions]
    batches = server.metric("batches_total")

    def ask(number: int) -> tuple[str, str]:
        shown = cases.shown[number % len(expected)]
        if number % 2:
            answer = client.chat.completions.create(model=server.model, messages=arm.task.messages(shown))
        else:
            fields = dict(cases.splits.test[number % len(expected)].fields)
            answer = client.chat.completions.create(model=server.model, messages=[], extra_body={"fields": fields})
        assert answer.choices[0].finish_reason in ("stop", "length")
        return answer.choices[0].message.content, answer.model_extra["preceptor"]["answer"]

    with ThreadPoolExecutor(8) as clients:
        asked = 2 * len(expected)  # each case by turns and by fields
        found = list(clients.map(ask, range(asked)))
    assert found == [expected[number % len(expected)] for number in range(asked)]
    assert len({text for text, _ in found}) > 1
    assert server.metric("batches_total") - batches < asked  # some were answered together
    assert server.metric("answering") == server.metric("waiting") == 0


def test_a_stream_is_the_whole_answer_piece_by_piece(
    slow_client: OpenAI, slow_server: Server, served_run: Path
) -> None:
    arm = open_arm(served_run, "letter", "base")
    request = {"model": slow_server.model, "messages": arm.task.messages(held_out(arm).shown[0])}
    whole = slow_client.chat.completions.create(**request)
    with slow_client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks[:-1]]
    assert "".join(pieces) == whole.choices[0].message.content == arm.predictions[0].text
    assert len([piece for piece in pieces if piece]) > 10
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1] if chunk.choices[0].finish_reason] == ["length"]
    assert chunks[-2].model_extra["preceptor"] == {"answer": arm.predictions[0].answer, "cut_tokens": 0}
    assert chunks[-1].usage == whole.usage
    assert whole.usage.completion_tokens == arm.task.answer.max_new_tokens
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("length", [1, 7])
def test_an_answer_is_shown_up_to_a_stop_string_and_read_to_its_end(
    length: int, slow_client: OpenAI, slow_server: Server, served_run: Path
) -> None:
    arm = open_arm(served_run, "letter", "base")
    text = arm.predictions[0].text
    stop = text[len(text) // 2 :][:length]
    before = text[: text.index(stop)]
    request = {
        "model": slow_server.model,
        "messages": arm.task.messages(held_out(arm).shown[0]),
        "stop": ["zebra-crossing", stop],
        "logprobs": True,
    }
    whole = slow_client.chat.completions.create(**request)
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == (before, "stop")
    assert whole.model_extra["preceptor"]["answer"] == arm.predictions[0].answer
    assert whole.usage.completion_tokens == arm.task.answer.max_new_tokens  # so many were written
    assert before.startswith("".join(token.token for token in whole.choices[0].logprobs.content))
    request["stop"] = stop
    with slow_client.chat.completions.create(**request, stream=True) as stream:
        chunks = [chunk.choices[0] for chunk in stream]
    assert "".join(chunk.delta.content or "" for chunk in chunks) == before
    assert chunks[-1].finish_reason == "stop"
    told = [token for chunk in chunks if chunk.logprobs for token in chunk.logprobs.content]
    assert told == whole.choices[0].logprobs.content


def test_a_stop_string_in_a_scored_label_cuts_what_is_shown_alone(
    client: OpenAI, server: Server, served_run: Path
) -> None:
    arm = open_arm(served_run, "urgency", "sft")
    messages, kept = arm.task.messages(held_out(arm).shown[0]), arm.predictions[0]
    whole = client.chat.completions.create(model=server.model, messages=messages, stop=kept.text[2:])
    assert whole.choices[0].message.content == kept.text[:2]
    assert whole.model_extra["preceptor"]["answer"] == kept.answer
    assert whole.model_extra["preceptor"]["scores"] == pytest.approx(kept.scores, abs=1e-4)


def test_log_probabilities_are_the_model_s(client: OpenAI, server: Server, served_run: Path) -> None:
    arm = open_arm(served_run, "urgency", "sft")
    turns = arm.task.messages(held_out(arm).shown[0])[1:]  # without the instruction it is free text
    request = {"model": server.model, "messages": turns, "logprobs": True}
    whole = client.chat.completions.create(**request).choices[0]
    with client.chat.completions.create(**request, stream=True) as stream:
        streamed = [
            token for chunk in stream if chunk.choices[0].logprobs for token in chunk.choices[0].logprobs.content
        ]
    assert streamed == whole.logprobs.content
    assert "".join(token.token for token in streamed) == whole.message.content
    policy = load_policy(arm.source, arm.folder, dtype=arm.numerics.torch_dtype)
    ids = [policy.tokenizer.convert_tokens_to_ids(policy.tokenizer.tokenize(token.token)) for token in streamed]
    answer = [part for parts in ids for part in parts]
    assert len(answer) == len(streamed)
    (expected,) = answer_logprobs(policy.model, [Encoded(encode(policy.tokenizer, turns, None).prompt, answer)])
    assert [token.logprob for token in streamed] == pytest.approx(expected.tolist(), abs=1e-4)


@pytest.mark.parametrize("count", [0, 1, 20])
def test_the_likeliest_tokens_are_told_beside_each(
    count: int, client: OpenAI, server: Server, served_run: Path
) -> None:
    """float32, as the study: they are those of the softmax over the whole vocabulary."""
    arm = open_arm(served_run, "urgency", "sft")
    turns = arm.task.messages(held_out(arm).shown[0])[1:]  # without the instruction it is free text
    asked = client.chat.completions.create(model=server.model, messages=turns, logprobs=True, top_logprobs=count)
    told = asked.choices[0].logprobs.content
    assert told
    policy = load_policy(arm.source, arm.folder, dtype=torch.float32)
    prompt = encode(policy.tokenizer, turns, None).prompt
    with torch.no_grad():
        logprobs = policy.model(input_ids=torch.tensor([prompt])).logits[0, -1].log_softmax(-1)
    values, ids = logprobs.topk(count)
    assert [one.token for one in told[0].top_logprobs] == [policy.tokenizer.decode([one]) for one in ids.tolist()]
    assert [one.logprob for one in told[0].top_logprobs] == pytest.approx(values.tolist(), abs=1e-4)
    for one in told:
        assert len(one.top_logprobs) == count
        assert not count or (one.top_logprobs[0].token, one.top_logprobs[0].logprob) == (one.token, one.logprob)
        assert sorted((best.logprob for best in one.top_logprobs), reverse=True) == [
            best.logprob for best in one.top_logprobs
        ]


def test_the_label_of_a_case_is_scored_and_how_probable_each_label_is_is_told(
    client: OpenAI, server: Server, served_run: Path
) -> None:
    """float32, as the study: the probabilities are those of the held-out answers."""
    arm = open_arm(served_run, "urgency", "sft")
    assert arm.numerics.dtype == "float32"
    for shown, kept in list(zip(held_out(arm).shown, arm.predictions, strict=True))[:4]:
        request = {"model": server.model, "messages": arm.task.messages(shown), "logprobs": True}
        whole = client.chat.completions.create(**request)
        assert whole.choices[0].logprobs is None, "it was not chosen token by token"
        assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == (kept.text, "stop")
        assert kept.scores is not None
        assert whole.model_extra["preceptor"]["scores"] == pytest.approx(kept.scores, abs=1e-4)
        with client.chat.completions.create(**request, stream=True) as stream:
            chunks = list(stream)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == kept.text
        assert chunks[-1].model_extra["preceptor"] == whole.model_extra["preceptor"]


def test_another_conversation_is_answered_in_free_text(client: OpenAI, server: Server, served_run: Path) -> None:
    arm = open_arm(served_run, "urgency", "sft")
    instruction, question = arm.task.messages(held_out(arm).shown[0])
    turns = [instruction, question, {"role": "assistant", "content": "urgent"}, {"role": "user", "content": "Why?"}]
    answer = client.chat.completions.create(model=server.model, messages=turns)
    assert "scores" not in answer.model_extra["preceptor"]
    policy = load_policy(arm.source, arm.folder, dtype=arm.numerics.torch_dtype)
    texts: dict[int, str] = {}
    prompt = encode(policy.tokenizer, turns, None).prompt
    greedy_generation(policy, [prompt], arm.task.answer.max_new_tokens)(
        frozenset(), lambda batch, *_, **__: texts.update(batch)
    )
    assert answer.choices[0].message.content == texts[0]


def test_verify_finds_the_labels_and_probabilities_of_every_case(
    preceptor: CommandLine, server: Server, served_run: Path
) -> None:
    words = ("verify", server.url, "--run", served_run, "--task", "urgency")
    right, wrong = (preceptor.run(*words, "--arm", arm) for arm in ("sft", "base"))
    count = len(open_arm(served_run, "urgency", "sft").predictions)
    assert right.code == 0
    assert f"{count} of {count} labels and their probabilities are those of the study." in right.shown
    gap = re.search(r"Log-probabilities: (\S+) nats a label", right.shown)
    assert gap
    assert float(gap[1]) < 1e-3
    assert wrong.code == 1
    assert "another model of the run is served: the answers are those of sft" in wrong.shown


def test_a_client_may_ask_for_less(client: OpenAI, server: Server, served_run: Path) -> None:
    arm = open_arm(served_run, "urgency", "sft")
    request = {"model": server.model, "messages": arm.task.messages(held_out(arm).shown[0]), "temperature": 0}
    whole = client.chat.completions.create(**request, max_tokens=100_000)
    short = client.chat.completions.create(**request, max_completion_tokens=1)
    assert (short.usage.completion_tokens, short.choices[0].finish_reason) == (1, "length")
    assert whole.choices[0].message.content.startswith(short.choices[0].message.content)


def test_what_makes_no_difference_may_be_sent_and_parts_are_put_together(
    client: OpenAI, server: Server, served_run: Path
) -> None:
    arm = open_arm(served_run, "urgency", "sft")
    turns = arm.task.messages(held_out(arm).shown[0])
    parts = [{"role": t["role"], "content": [{"type": "text", "text": c} for c in t["content"]]} for t in turns]
    answer = client.chat.completions.create(
        model=server.model, messages=parts, n=1, top_p=0.3, seed=7, user="ward 3", stop=None, store=False
    )
    assert answer.choices[0].message.content == arm.predictions[0].text


def test_a_long_note_is_cut_as_in_the_study_and_that_is_told(client: OpenAI, server: Server) -> None:
    note = "Seen with fever. " * 2000
    answer = client.chat.completions.create(model=server.model, messages=[], extra_body={"fields": {"note": note}})
    assert answer.model_extra["preceptor"]["cut_tokens"] > 1000
    assert answer.usage.prompt_tokens <= 1024 - 6


def test_the_model_is_listed(client: OpenAI, server: Server) -> None:
    assert [model.id for model in client.models.list()] == [server.model] == ["tiny/urgency/sft/seed-0"]
    assert client.models.retrieve(server.model).owned_by == "preceptor"
    with pytest.raises(NotFoundError, match=server.model):
        client.models.retrieve("gpt")


def test_the_curl_line_that_is_printed_works(server: Server) -> None:
    line = next(line for line in server.said.splitlines() if line.strip().startswith("curl "))
    done = subprocess.run(["bash", "-c", line.strip()], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["choices"][0]["message"]["role"] == "assistant"


def test_curl_sees_a_stream_as_events(server: Server) -> None:
    body = json.dumps({"stream": True, "fields": {"note": "Drowsy."}})
    line = ["curl", "-sN", f"{server.url}/chat/completions", "-H", "Content-Type: application/json", "-d", body]
    said = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert said.endswith("data: [DONE]\n\n")
    assert all(event.startswith("data: ") for event in said.split("\n\n")[:-1])


def test_more_clients_than_rows_are_all_answered(slow_server: Server, server: Server, client: OpenAI) -> None:
    fields = {"note": "Itchy rash."}
    with ThreadPoolExecutor(MAX_BATCH_SIZE + 8) as clients:
        found = list(
            clients.map(
                lambda _: client.chat.completions.create(
                    model=server.model, messages=[], extra_body={"fields": fields}
                ),
                range(MAX_BATCH_SIZE + 8),
            )
        )
    assert len({one.choices[0].message.content for one in found}) == 1
