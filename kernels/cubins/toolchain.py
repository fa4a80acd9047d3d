"""The pinned CUDA compiler: found under CUDA_HOME, or installed from wheels into a virtual environment."""

import os
import pathlib
import subprocess
import sys

COMPILER = "13.0.88"

# Without their dependencies: these files are all that compiling without a GPU takes. nvdisasm's first wheel is 13.2, it reads 13.0.
WHEELS = [
    "nvidia-cuda-nvcc==13.0.88",
    "nvidia-nvvm==13.0.88",
    "nvidia-cuda-crt==13.0.88",
    "nvidia-cuda-runtime==13.0.96",
    "nvidia-cuda-cccl==13.0.85",
    "nvidia-cuda-nvrtc==13.0.88",
    "nvidia-cuda-nvdisasm==13.2.86",
]


class ToolchainError(Exception):
    """No compiler, or not the pinned one."""


def cuda_home(root):
    """Folder of the compiler: $CUDA_HOME, or a virtual environment below the target folder, made on first use."""
    given = os.environ.get("CUDA_HOME")
    home = pathlib.Path(given) if given else installed(root)
    for tool in ["nvcc", "ptxas", "nvdisasm"]:
        if not (home / "bin" / tool).is_file():
            where = "CUDA_HOME" if given else "the environment made here"
            raise ToolchainError(f"{where} has no bin/{tool}: {home}\nhelp: unset CUDA_HOME, or name a toolkit {COMPILER} with nvdisasm")
    said = subprocess.run([home / "bin" / "nvcc", "--version"], capture_output=True, text=True, check=True).stdout
    if f"V{COMPILER}" not in said:
        raise ToolchainError(f"{home}/bin/nvcc is not {COMPILER}, images would differ: {said.strip().splitlines()[-2]}\nhelp: unset CUDA_HOME")
    return home


def installed(root):
    """The virtual environment's toolkit; a half-made one is made again."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or root.parent / "target")
    venv = target.absolute() / "cuda" / "venv"
    done = venv / "gradus-wheels"
    wanted = "\n".join(WHEELS)
    if not done.is_file() or done.read_text() != wanted:
        print(f"installing the CUDA compiler {COMPILER} into {venv}", file=sys.stderr)
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            subprocess.run([venv / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check", *WHEELS], check=True)
        except subprocess.CalledProcessError as error:
            raise ToolchainError(f"the CUDA compiler cannot be installed: {error}\nhelp: python3 needs venv and pip, or set CUDA_HOME") from error
        done.write_text(wanted)
    homes = list(venv.glob("lib/python3*/site-packages/nvidia/cu13"))
    if len(homes) != 1:
        raise ToolchainError(f"{venv} has {len(homes)} folders nvidia/cu13\nhelp: delete it")
    return homes[0]
