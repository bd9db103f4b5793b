import numpy as np
import pytest
import torch

from platonic_ase.errors import CaptureError
from platonic_ase.models.encoder import Capture, hash_parameters
from platonic_ase.models.hooks import call_of, input_width, uncompiled
from platonic_ase.models.mace import even_scalars
from platonic_ase.testing import MockCalculator, MockEncoder


class Owner:
    def double(self, number):
        return 2 * number


def test_call_of_hands_over_arguments_and_leaves_the_method_as_it_was():
    owner, seen = Owner(), []
    with call_of(owner, "double", seen.append, lambda number: number + 1):
        assert owner.double(3) == 6
    assert owner.double(4) == 8
    assert seen == [4]
    assert "double" not in vars(owner)


def test_call_of_can_be_nested():
    owner, inner, outer = Owner(), [], []
    with call_of(owner, "double", outer.append, lambda number: number):
        with call_of(owner, "double", inner.append, lambda number: number):
            owner.double(1)
        owner.double(2)
    assert (inner, outer) == ([1], [1, 2])


def test_call_of_hands_over_the_error_of_a_selection_and_goes_on():
    owner, seen = Owner(), []
    with call_of(owner, "double", seen.append, lambda number: number["absent"]):
        assert owner.double(3) == 6
    assert isinstance(seen[0], TypeError)


def test_uncompiled_runs_eagerly_and_keeps_the_compiled_code():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3))
    model._compiled_call_impl = lambda x: "compiled"
    with uncompiled(model):
        assert model(torch.ones(1, 2)).shape == (1, 3)
    assert model(torch.ones(1, 2)) == "compiled"


def test_input_width_is_that_of_the_first_linear_layer():
    assert input_width(torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Linear(7, 3))) == 7


def test_compilation_does_not_change_the_fingerprint():
    model = torch.nn.Linear(2, 3)
    assert hash_parameters(torch.compile(model)) == hash_parameters(model)


@pytest.mark.parametrize(
    ("layers", "columns"),
    [
        (["128x0e", "128x0e"], [range(128), range(128, 256)]),
        (["2x0e+2x1o", "3x0e"], [range(2), range(8, 11)]),
        (["2x0o+3x0e+1x2e"], [range(2, 5)]),
    ],
)
def test_even_scalars_are_found_by_the_irreps(layers, columns):
    found = [np.r_[tuple(parts)].tolist() for parts in even_scalars(layers)]
    assert found == [list(c) for c in columns]


def test_embeddings_of_a_series_come_from_the_encoder_itself_by_default():
    encoder = MockEncoder(MockCalculator())
    with encoder.many() as reader:
        assert reader is encoder


def test_what_is_no_tensor_is_named_and_left_alone():
    """Graphs have a detach() of their own that changes them in place, in mid-calculation."""

    class Graph:
        def detach(self):
            raise AssertionError("changed in place")

    capture = Capture(MockEncoder(MockCalculator()))
    capture.receive(Graph())
    with pytest.raises(CaptureError, match="a tensor is needed; got Graph"):
        capture.take(1)
