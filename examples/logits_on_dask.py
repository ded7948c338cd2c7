"""A vocabulary in shards: losses, the best tokens and draws of a head whose weights lie in pieces, with Dask.

    pip install '.[dask]'
    python examples/logits_on_dask.py                    in threads of this process
    python examples/logits_on_dask.py tcp://SCHEDULER    on a cluster that runs already (`dask scheduler` and some
                                                         `dask worker`, with softops installed)

The scores of 2,000 tokens over 200,000 classes would be 1.6 GB. Here each task holds those of 250 tokens in one shard,
50 MB, and of these it gives some bytes a token away.
"""

import sys

import dask
import dask.array as da
import numpy as np

from softops.numba_kernels import dask_arrays

TOKENS, FEATURES, CLASSES, SHARD = 2_000, 64, 200_000, 50_000


def weights_of_a_shard(block_info):
    """Made where they are needed; yours would be read there: da.from_zarr, or da.from_array of a np.memmap."""
    facts = block_info[None]
    random = np.random.default_rng([1, facts["chunk-location"][0]])
    return random.normal(scale=0.3, size=facts["chunk-shape"]).astype(np.float32)


def main(address=None):
    if address:
        from distributed import Client

        client = Client(address)
        print(f"on {len(client.scheduler_info()['workers'])} workers")
    random = np.random.default_rng(0)
    hidden = da.from_array(random.normal(size=(TOKENS, FEATURES)).astype(np.float32), chunks=(250, -1))
    labels = random.integers(0, CLASSES, TOKENS)
    weight = da.map_blocks(
        weights_of_a_shard,
        chunks=((SHARD,) * (CLASSES // SHARD), (FEATURES,)),
        dtype=np.float32,
        meta=np.empty((0, 0)),
    )

    loss = dask_arrays.linear_cross_entropy(hidden, weight, labels)
    shares, best = dask_arrays.linear_topk(hidden, weight, 3)
    loss, shares, best = dask.compute(loss, shares, best)
    print(f"loss {loss:.4f}, by guessing {np.log(CLASSES):.4f}")
    for token in range(3):
        print(
            f"token {token}:",
            ", ".join(f"{c} at {p:.4f}" for c, p in zip(best[token], shares[token], strict=True)),
        )

    # logits that are an array of their own: chunks of tokens and of classes
    logits = da.matmul(hidden, weight.T)
    drawn = dask_arrays.sample(logits[:4], 5, temperature=0.7, top_k=50, seed=7).compute()
    print("drawn:", *(" ".join(map(str, row)) for row in drawn), sep="\n    ")


if __name__ == "__main__":
    main(*sys.argv[1:])
