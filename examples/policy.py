"""Export the policy of a game player as an ONNX model that masks illegal moves, and let it play.

    python examples/policy.py

Writes policy.onnx into the working folder.
"""

import numpy as np
import onnxruntime

from softops.export import policy_head

FEATURES, MOVES = 9, 9

# The last layer of a network of your own: here it is not trained, and stands for one that knows tic-tac-toe.
random = np.random.default_rng(0)
weight, bias = random.standard_normal((MOVES, FEATURES)), random.standard_normal(MOVES)

policy_head(
    weight=weight,
    bias=bias,
    temperature="input",  # 1 to explore, near 0 to win
    legal_mask=True,
    outputs=["probabilities", "greedy_action", "sampled_action"],
    dtype="float32",
    path="policy.onnx",
)

session = onnxruntime.InferenceSession("policy.onnx")
boards = np.array([[1, 0, 0, 0, -1, 0, 0, 0, 0], [1, -1, 1, -1, 1, -1, 0, 0, 0]], np.float32)
probabilities, greedy, sampled = session.run(
    None,
    {
        "features": boards,
        "temperature": np.array([1], np.float32),
        "legal_actions": boards == 0,
        # The noise makes the draw: the graph itself is deterministic, and the same noise gives the same moves.
        "gumbel_noise": random.gumbel(size=(len(boards), MOVES)).astype(np.float32),
    },
)
for board, p, best, drawn in zip(boards, probabilities, greedy, sampled, strict=True):
    print(
        "board", board.astype(int), "legal moves", {int(i): f"{p[i]:.1%}" for i in np.flatnonzero(board == 0)}
    )
    print("best", best, "drawn", drawn)
