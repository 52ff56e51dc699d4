"""A real Triton server on a processor, from the wheel of nvidia-pytriton in an environment of its own.

    /usr/bin/python3 -m venv .peers/triton
    .peers/triton/bin/pip install nvidia-pytriton 'numpy<2' onnxruntime

The wheel has the server and its Python backend alone, so the network of a repository that we wrote is run by a few
lines of Python over ONNX Runtime; its configuration is ours but for the backend. TINTYPE_TRITON_PEER names another
place.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PEER = Path(os.environ.get("TINTYPE_TRITON_PEER", REPOSITORY / ".peers" / "triton"))
START_S = 60

MODEL = """
import os
import numpy as np
import onnxruntime
import triton_python_backend_utils as backend


class TritonPythonModel:
    def initialize(self, args):
        place = os.path.join(args["model_repository"], args["model_version"], "model.onnx")
        self.session = onnxruntime.InferenceSession(place, providers=["CPUExecutionProvider"])
        self.names = [output.name for output in self.session.get_outputs()]

    def execute(self, requests):
        answers = []
        for request in requests:
            given = {one.name(): one.as_numpy() for one in request.inputs()}
            made = self.session.run(self.names, given)
            tensors = [backend.Tensor(name, values) for name, values in zip(self.names, made)]
            answers.append(backend.InferenceResponse(output_tensors=tensors))
        return answers
"""


def missing() -> str:
    """Why there is no server; "" where there is one."""
    packages = list(PEER.glob("lib/python3*/site-packages/pytriton"))
    return "" if packages else f"no Triton in {PEER}; see {Path(__file__).name}"


def run_by_python(model: Path) -> None:
    """Have a model that was written for ONNX Runtime's backend run by the one that is in the wheel."""
    config = model / "config.pbtxt"
    config.write_text(config.read_text().replace('backend: "onnxruntime"', 'backend: "python"'))
    (model / "1" / "model.py").write_text(MODEL)


class Server:
    """One server, that can be killed and started again on the same ports."""

    def __init__(self, repository: Path, work: Path) -> None:
        self.repository, self.work = repository, work
        self.http, self.grpc = _free_port(), _free_port()
        self.prefix = f"tintype_server_{self.grpc}_"  # of the memory that its Python backend shares
        self.log = work / "triton.log"
        self.process: subprocess.Popen[bytes] | None = None
        (packages,) = PEER.glob("lib/python3*/site-packages")
        self.packages = packages
        self.backends = work / "backends"
        place = self.backends / "python"
        shutil.copytree(packages / "pytriton/tritonserver/backends/python", place)
        version = packages.parent.name.removeprefix("python")
        stub = packages / f"pytriton/tritonserver/python_backend_stubs/{version}/triton_python_backend_stub"
        shutil.copy(stub, place)
        (place / stub.name).chmod(0o755)

    def start(self, *, wait: bool = True) -> None:
        binary = self.packages / "pytriton/tritonserver/bin/tritonserver"
        binary.chmod(0o755)
        paths = {
            "LD_LIBRARY_PATH": str(self.packages / "nvidia_pytriton.libs"),
            "PYTHONPATH": str(self.packages),
            "PATH": f"{PEER / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.work),
            "OMP_NUM_THREADS": "1",
        }
        words = [
            str(binary),
            f"--model-repository={self.repository}",
            f"--backend-directory={self.backends}",
            f"--http-port={self.http}",
            f"--grpc-port={self.grpc}",
            "--http-address=127.0.0.1",
            "--grpc-address=127.0.0.1",
            "--allow-metrics=false",
            f"--backend-config=python,shm-region-prefix-name={self.prefix}",
            "--exit-on-error=false",
            "--http-thread-count=2",
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(words, env=paths, stdout=log, stderr=log, start_new_session=True)
        if wait:
            self.wait()

    def wait(self) -> None:
        """Until it answers; not necessarily for every model."""
        assert self.process is not None
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/v2/health/ready", timeout=1) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            time.sleep(0.1)
        raise AssertionError(self.log.read_text()[-2000:])

    def kill(self) -> None:
        """With everything that it started."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
            for left in Path("/dev/shm").glob(f"{self.prefix}*"):
                left.unlink()

    def address(self, kind: str) -> str:
        return f"{kind}://127.0.0.1:{self.grpc if kind == 'grpc' else self.http}"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
