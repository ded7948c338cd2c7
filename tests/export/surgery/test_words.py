"""The words of the type hints are those that are taken, all of them."""

from typing import get_args

import pytest

from softops.export import append_head, classifier_head, decompose, replace_activation
from softops.export.heads.softmax import SCORES, Activation
from softops.export.surgery.append import ACTIVATIONS, Appended
from softops.export.surgery.classifiers import TRANSFORMS
from softops.export.surgery.decompose import BODIES, Decomposable
from softops.export.surgery.decompositions import FORMS
from softops.export.surgery.exchange import REPLACEABLE, Replacement

MODEL = classifier_head([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        (Activation, SCORES),
        (Appended, ACTIVATIONS),
        (Replacement, {**REPLACEABLE, **TRANSFORMS}),
        (Decomposable, [*FORMS, *BODIES]),
    ],
    ids=["head", "append", "replace", "decompose"],
)
def test_the_hint_lists_what_is_taken(words, taken):
    assert set(get_args(words)) == set(taken)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda word: classifier_head([[1.0], [2.0]], activation=word), Activation),
        (lambda word: append_head(MODEL, "probabilities", activation=word), Appended),
        (lambda word: replace_activation(MODEL, word), Replacement),
        (lambda word: decompose(MODEL, word), Decomposable),
    ],
    ids=["head", "append", "replace", "decompose"],
)
def test_another_word_is_answered_by_all_of_them(call, words):
    with pytest.raises(ValueError, match=r"\(got 'sofmax'\)") as error:
        call("sofmax")
    assert all(word in str(error.value) for word in get_args(words))
