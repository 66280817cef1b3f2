"""Where the time of one DPO step goes, operation by operation: `python -m benchmarks.profile [SHAPE] [--threads 2]`"""

import argparse
import os


def main() -> None:
    """Profile one step of ours, after one that warms up, and print the operations that take most of it."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before the imports that would look for one
    import torch
    from torch.profiler import ProfilerActivity, profile

    from benchmarks import _ours
    from benchmarks._shapes import SHAPES, draw_pairs, word_tokens
    from preceptor.engine import Numerics
    from preceptor.models import EMBEDDED, AdapterSettings, find_model, new_policy

    parser = argparse.ArgumentParser(description="Where the time of one DPO step goes.")
    parser.add_argument("shape", nargs="?", choices=list(SHAPES), default="a")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--rows", type=int, default=12, help="operations to print; default: %(default)s")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    policy = new_policy(find_model(EMBEDDED), AdapterSettings(), seed=0, dtype=torch.float32)
    words, stop = word_tokens(policy.tokenizer), policy.tokenizer.eos_token_id
    step = _ours.dpo_step(policy, draw_pairs(SHAPES[arguments.shape], words, stop), Numerics(threads=arguments.threads))
    step()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        step()
    operations = profiled.key_averages()
    whole = sum(one.self_cpu_time_total for one in operations)
    print(f"{whole / 1e6:.2f} s in one step, of which")
    for one in sorted(operations, key=lambda one: -one.self_cpu_time_total)[: arguments.rows]:
        print(f"{one.self_cpu_time_total / whole:6.1%}  {one.count:6} calls  {one.key}")


if __name__ == "__main__":
    main()
