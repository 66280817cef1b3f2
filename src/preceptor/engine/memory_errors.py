"""Whether an error says that there is not enough memory, whichever library raised it."""

import errno

import torch

from preceptor.errors import OutOfMemoryError

_IN_RUNTIME_ERRORS = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What PyTorch says on a processor (`DefaultCPUAllocator: can't allocate memory`), and cuBLAS on an accelerator."""


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on an accelerator or on the host."""
    match error:
        case MemoryError() | torch.OutOfMemoryError() | OutOfMemoryError():
            return True
        case OSError():
            return error.errno == errno.ENOMEM
        case RuntimeError():
            return any(words in str(error) for words in _IN_RUNTIME_ERRORS)
        case _:
            return False
