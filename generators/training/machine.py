"""What a machine says when it gives up on a run, in words that help: too little memory, a lost GPU."""

from __future__ import annotations

from evidence.errors import TrainingError

_NO_MEMORY = ("out of memory", "can't allocate memory", "DefaultCPUAllocator")
_LOST_GPU = ("CUDA error", "cuDNN error", "CUBLAS_STATUS", "device-side", "NCCL")


def translated(error: Exception, batch: int, kept: str) -> Exception:
    """The error as a TrainingError when the machine is its cause; `error` itself when the code is.

    `kept` says which state is on disk.
    """
    said = str(error)
    if isinstance(error, MemoryError) or any(sign in said for sign in _NO_MEMORY):
        return TrainingError(
            f"There is too little memory for {batch} images a step.",
            f"Memory grows with the batch: half as many fit in about half of it. Begin anew with "
            f"--set batch={max(1, batch // 2)}, or a smaller --set image_size or width. {kept}",
        )
    if any(sign in said for sign in _LOST_GPU):
        return TrainingError(
            f"The GPU stopped answering: {said.splitlines()[0]}.",
            f"{kept} Go on with --resume when the GPU is back.",
        )
    return error
