"""Several devices at once give the gradients of one: torch's processes, and JAX's sharded arrays."""

import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import distributed, multiprocessing, nn

from rnncore import modules
from rnncore.testing import assert_close

T, B, D, H, K = 6, 8, 3, 5, 2


class Network(nn.Module):
    """Two layers in both directions, and a readout at each step."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = modules.LSTM(D, H, 2, bidirectional=True)
        self.readout = nn.Linear(2 * H, K)

    def forward(self, xs):
        return self.readout(self.layers(xs)[0])


def batch():
    """Inputs (T, B, D) and targets (T, B, K)."""
    drawn = torch.Generator().manual_seed(1)
    return torch.randn(T, B, D, generator=drawn), torch.randn(T, B, K, generator=drawn)


def gradients(network, xs, targets):
    """Of the mean squared error, by name."""
    nn.functional.mse_loss(network(xs), targets).backward()
    return {name.removeprefix("module."): p.grad for name, p in network.named_parameters()}


def worker(rank, world, folder):
    """One of `world` processes, with its part of the batch."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
    network = nn.parallel.DistributedDataParallel(Network())
    xs, targets = (part.chunk(world, dim=1)[rank] for part in batch())
    torch.save(gradients(network, xs, targets), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_gradients_of_two_processes_are_those_of_one(tmp_path):
    multiprocessing.spawn(worker, (2, str(tmp_path)), nprocs=2)
    expected = gradients(Network(), *batch())
    assert max(float(g.abs().max()) for g in expected.values()) > 0.01
    for rank in (0, 1):
        assert_close(torch.load(tmp_path / f"{rank}.pt"), expected, rtol=1e-5, atol=1e-7)


SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from rnncore import GRU
from rnncore.jax import arrays
from rnncore.testing import assert_close
from rnncore import tree

rng = np.random.default_rng(0)
cell = GRU.init(rng, 3, 5)
xs, targets = (rng.standard_normal((6, 8, n), dtype=np.float32) for n in (3, 5))
lengths = np.array([6, 1, 3, 6, 2, 5, 4, 6])

def loss(cell, xs, targets, lengths):
    ys, _, _ = cell.forward(xs, lengths=lengths)
    return jnp.mean((ys - targets) ** 2)

slope = jax.jit(jax.value_and_grad(loss))
expected = slope(arrays(cell), xs, targets, lengths)
mesh = Mesh(np.array(jax.devices()), ("batch",))
everywhere, by_batch = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(None, "batch"))
parts = jax.device_put((xs, targets), by_batch)
counts = jax.device_put(lengths, NamedSharding(mesh, PartitionSpec("batch")))
value, grads = slope(jax.device_put(arrays(cell), everywhere), *parts, counts)
assert len(parts[0].sharding.device_set) == len(grads.U.sharding.device_set) == 4
assert float(jnp.abs(grads.U).max()) > 0.01
assert_close(tree.convert(np.asarray, (value, grads)), tree.convert(np.asarray, expected), rtol=1e-5, atol=1e-7)
print("equal on", len(jax.devices()), "devices")
"""


def test_gradients_of_sharded_arrays_are_those_of_one_device():
    """In a process of its own: how many devices a processor stands for is decided before JAX starts."""
    env = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    root = Path(__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", SHARDED], env=env, cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "equal on 4 devices\n"
