"""The arm's policy answers: labels by their scores, text by greedy generation, at each step the likeliest token."""

from preceptor.engine import Work, writing_work
from preceptor.files import digest
from preceptor.models import load_tokenizer
from preceptor.study.answers._greedy import greedy_generation
from preceptor.study.answers._scored_labels import RuleCases, rule_cases, rule_key, scored_labels, scored_work
from preceptor.study.expected_work import WorkContext, answer_lengths
from preceptor.study.predictions.answer_context import AnswerContext, Answering
from preceptor.tasks import Task

title = "Base"
phrase = "the base model"
explanation = "The untouched model."
deterministic = True
asks_policy = True
language_model = True


def unsupported_reason(task: Task) -> str | None:
    """It answers every task."""
    return None


def key(context: AnswerContext) -> str:
    """Text depends on the policy alone, labels also on the cases by which their scores become answers."""
    if not context.task.task.labels:
        return context.policy_key
    return digest(["label scores", context.policy_key, rule_key(context.task, context.study.max_length)])


def answer(context: AnswerContext) -> Answering:
    """The policy's answer to each held-out prompt."""
    prompts, task = context.task.test, context.task.task
    if task.labels:
        train, validation, gold = rule_cases(context.task, load_tokenizer(context.source), context.study.max_length)
        cases = RuleCases([prompt for prompt, _ in train], [prompt for prompt, _ in validation], gold)
        return scored_labels(context, prompts, cases)
    return Answering(greedy_generation(context.load_policy(), prompts, task.answer.max_new_tokens))


def work(context: WorkContext) -> Work:
    """Labels scored, or text as long as gold's; an untrained model seldom stops before the limit."""
    task, prompts = context.task.task, context.task.test
    if task.labels:
        train, validation = ([case.prompt for case in part] for part in (context.task.train, context.task.validation))
        return scored_work(context, prompts, train, validation)
    lengths = answer_lengths(context, len(prompts))
    return writing_work(prompts, lengths, task.answer.max_new_tokens, share=context.shares)
