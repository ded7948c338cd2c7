"""An evaluation set in every form that is read, and what is told of it but for times."""

import json

import numpy as np
import pytest

from softops.export import classifier_head

RANDOM = np.random.default_rng(3)
WEIGHT = RANDOM.standard_normal((4, 6)).astype(np.float32)
X = RANDOM.standard_normal((333, 6)).astype(np.float32)
Y = (X @ WEIGHT.T + RANDOM.gumbel(size=(333, 4))).argmax(1)
FORMS = ("npy", "zarr", "lists", "columns", "folder")


def model():
    return classifier_head(WEIGHT)


def write(form, folder, arrays):
    """Write arrays in a form, and return the path."""
    endings = {"npz": ".npz", "zarr": ".zarr", "lists": ".parquet", "columns": ".parquet"}
    path = folder / f"{form}{endings.get(form, '')}"
    if form == "npz":
        np.savez(path, **arrays)
    elif form == "npy":
        path.mkdir()
        for name, array in arrays.items():
            np.save(path / f"{name}.npy", array)
    elif form == "zarr":
        # Version 3 of the format has no strings yet that other libraries read.
        version = 2 if any(array.dtype.kind == "U" for array in arrays.values()) else 3
        group = pytest.importorskip("zarr").open_group(path, mode="w", zarr_format=version)
        for name, array in arrays.items():
            made = group.create_array(
                name, shape=array.shape, dtype=array.dtype, chunks=(50, *array.shape[1:])
            )
            made[...] = array
    elif form == "folder":
        path.mkdir()
        for place, part in enumerate((slice(None, 100), slice(100, None))):
            written = write("lists", folder, {name: array[part] for name, array in arrays.items()})
            written.rename(path / f"{place}.parquet")
    else:
        write_parquet(path, arrays, cut=form == "columns")
    return path


def write_parquet(path, arrays, cut):
    """Write columns of lists, or a column for each place in them."""
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {}
    for name, array in arrays.items():
        if array.ndim == 1:
            columns[name] = pa.array(array)
        elif cut:
            columns |= {f"f{place}": pa.array(array[:, place]) for place in range(array.shape[1])}
        else:
            columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1])
    parquet.write_table(pa.table(columns), path, row_group_size=70)


def told(found):
    """The JSON of an evaluation, without how long anything took."""
    return json.dumps(_timeless(json.loads(found.to_json())))


def _timeless(value):
    if isinstance(value, dict):
        return {name: _timeless(each) for name, each in value.items() if name != "seconds"}
    return [_timeless(each) for each in value] if isinstance(value, list) else value
