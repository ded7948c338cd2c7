"""The README's picture: what it says is what it was given."""

import xml.etree.ElementTree as ET

from benchmarks.report.overview import picture, relative_times
from benchmarks.results import Results, Row


def test_bars_are_sorted_and_as_long_as_their_numbers():
    text = picture({"softops": 1.6, "SciPy <&>": 66.1}, {"softops": 1.0, "torch": 2.5}, 3, "a machine")
    svg = "{http://www.w3.org/2000/svg}"
    root = ET.fromstring(text)
    words = [element.text for element in root.iter(f"{svg}text")]
    assert words.index("softops") < words.index("SciPy <&>")
    assert "1.6" in words
    assert "66" in words
    bars = [float(bar.get("width")) for bar in root.iter(f"{svg}rect")][3:]
    assert bars[1] / bars[0] == 2.5


def test_times_are_geometric_means_over_ours():
    rows = [Row(name, 2, {"softops": 1e-3, "torch": t}, 1e-4) for name, t in (("a", 2e-3), ("b", 8e-3))]
    other = [Row("a", 1, {"softops": 1.0, "torch": 9.0}, 1e-4)]
    run = Results("", "", "", "", "", 2, 0.0, 1, (1, 2), {}, (), (*rows, *other))
    means, workloads = relative_times(run)
    assert workloads == 2
    assert abs(means["torch"] - 4) < 1e-12
