"""Errors that say there is not enough memory, whichever library raised them, and errors as other processes see them."""

import errno

import torch

from preceptor.errors import InputError, OutOfMemoryError, PreceptorError, UnforeseenError, kind_and_place

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


def without_case(error: Exception) -> Exception:
    """The error as it is sent to another process: our own words and the system's, else its kind and place alone."""
    match error:
        case InputError():
            return error
        case _ if out_of_memory(error):
            return OutOfMemoryError()
        case PreceptorError():
            return PreceptorError(str(error))
        case OSError() if error.errno is not None:
            return OSError(error.errno, error.strerror, error.filename)
        case _:
            return UnforeseenError(kind_and_place(error))
