"""Models that other tools make, for the page on models: of scikit-learn by skl2onnx, of torch by its two exporters."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def make(folder: Path) -> None:
    """Write the models into a folder, as far as the packages that make them are installed."""
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if find_spec("skl2onnx") and find_spec("sklearn"):
            for name, content in _of_sklearn():
                (folder / f"skl2onnx_{name}.onnx").write_bytes(content)
        if find_spec("torch"):
            _of_torch(folder)


def _of_sklearn() -> Iterator[tuple[str, bytes]]:
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.datasets import load_iris
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC, NuSVC

    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    logistic = LogisticRegression(max_iter=500)
    made: dict[str, Any] = {
        "logistic": logistic,
        "mlp_scaled": make_pipeline(StandardScaler(), MLPClassifier(max_iter=200, random_state=0)),
        "svc": SVC(probability=True, random_state=0),
        "nusvc": NuSVC(probability=True, random_state=0),
        "forest": RandomForestClassifier(20, random_state=0),
        "boosting": GradientBoostingClassifier(n_estimators=10, random_state=0),
        "calibrated": CalibratedClassifierCV(logistic, cv=2),
        "one_vs_rest": OneVsRestClassifier(logistic),
        "sgd_huber": SGDClassifier(loss="modified_huber", random_state=0),
    }
    for name, estimator in made.items():
        estimator.fit(x, y)
        for opset in (12, 18):
            for zipmap in (False, True) if name == "logistic" else (False,):
                options = {id(estimator): {"zipmap": zipmap}}
                model = to_onnx(estimator, x[:1], options=options, target_opset={"": opset, "ai.onnx.ml": 3})
                yield f"{name}_{opset}{'_zipmap' if zipmap else ''}", model.SerializeToString()


def _of_torch(folder: Path) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)

    class Attended(nn.Module):
        """Attention to itself."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.MultiheadAttention(32, 4, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.inner(x, x, x)

    class Last(nn.Module):
        """An LSTM and a softmax of its last state."""

        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 5)

        def forward(self, x: Any) -> Any:
            return torch.softmax(self.head(self.inner(x)[0][:, -1]), -1)

    class Quantised(nn.Module):
        """Two layers, quantised and back around each."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(16, 32), nn.Linear(32, 10)

        def forward(self, x: Any) -> Any:
            fake = torch.fake_quantize_per_tensor_affine
            hidden = torch.relu(self.first(fake(x, 0.05, 128, 0, 255)))
            return torch.softmax(fake(self.second(fake(hidden, 0.02, 0, 0, 255)), 0.05, 128, 0, 255), -1)

    convolutions = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.SiLU(), nn.MaxPool2d(2)),
        *(
            nn.Conv2d(8, 16, 3),
            nn.Hardswish(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, 10),
            nn.Softmax(-1),
        ),
    )
    flattened = nn.Sequential(nn.Conv2d(3, 7, 8), nn.Softmax(1), nn.Flatten())
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    made = {
        "cnn": (convolutions, torch.zeros(2, 3, 16, 16)),
        "flatten_after_softmax": (flattened, torch.zeros(2, 3, 8, 8)),
        "encoder": (nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.zeros(2, 10, 32)),
        "multihead_attention": (Attended(), torch.zeros(2, 10, 32)),
        "lstm": (Last(), torch.zeros(2, 10, 8)),
        "quantised": (Quantised(), torch.zeros(2, 16)),
    }
    for name, (module, x) in made.items():
        module.eval()
        for newer in (False, True):
            if newer and not find_spec("onnxscript"):
                continue
            out = folder / f"torch_{name}_{'dynamo' if newer else 'script'}.onnx"
            with (  # both exporters talk, and what one does not take is no model
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
                contextlib.suppress(Exception),
            ):
                torch.onnx.export(module, (x,), out, dynamo=newer)
