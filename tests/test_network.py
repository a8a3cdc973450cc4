"""The network of section I: equations (1) and (2), shapes, skips, and the networks beside it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dann_lib import report
from dann_lib.baselines import NETWORKS, build, network_of
from dann_lib.config import BEST
from dann_lib.network import DANN, AcrossBins, apply_masks, convolution, n_parameters, up_sample


def test_equation_1_max_pooling_takes_the_highest_value():
    matrix = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert DANN().pool(matrix).item() == 4


def test_equation_2_up_sampling_as_printed():
    matrix = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    printed = torch.tensor([
        [1.00, 1.33, 1.67, 2.00],
        [1.67, 2.00, 2.33, 2.67],
        [2.33, 2.67, 3.00, 3.33],
        [3.00, 3.33, 3.67, 4.00],
    ])
    torch.testing.assert_close(up_sample(matrix, (4, 4))[0, 0], printed, atol=0.005, rtol=0)


def test_networks_have_the_sizes_that_are_stated():
    """Of the denoising auto-encoders: 37 101 with one plane in and out and biases; ours has two, and normalisation."""
    assert 400_000 < n_parameters(DANN()) < 600_000
    assert n_parameters(build("feedforward")) > 10 * n_parameters(DANN())
    assert n_parameters(build("cdae")) / 3 == pytest.approx(37_101, rel=0.02)


def test_layers_grow_thinner_towards_the_bottleneck():
    sizes = []
    network = DANN()
    for stage in (*network.encoder[1:], network.bottleneck):
        stage.register_forward_hook(lambda _, __, output: sizes.append(output.shape[1:].numel()))
    network(torch.zeros(1, 2, 64, 32))
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


def test_each_feature_map_of_each_chunk_is_normalised_by_itself():
    layer, features = convolution(2, 3, 3), 5 + torch.randn(2, 2, 9, 7)
    with torch.no_grad():
        expected = nn.functional.instance_norm(layer[0](features)).relu()
        torch.testing.assert_close(layer(features), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("skips", [(), (1,), (2,), (3,), (2, 3), (1, 2, 3), (4,), (1, 2, 3, 4)])
def test_concat_k_joins_at_its_resolution(skips):
    network, without = DANN(skips=skips), DANN(skips=())
    wider = [wide[0].in_channels > narrow[0].in_channels
             for wide, narrow in zip(network.decoder, without.decoder, strict=True)]
    assert [2**stage for stage in range(4) if wider[stage]] == [2**(4 - skip) for skip in reversed(skips)]
    assert network(torch.randn(2, 2, 65, 33)).shape == (2, 3, 2, 65, 33)


@pytest.mark.parametrize("size", [(32, 16), (33, 31), (1025, 88), (513, 60)])
def test_any_size_in_the_same_size_out(size):
    with torch.no_grad():
        assert DANN()(torch.randn(1, 2, *size)).shape == (1, 3, 2, *size)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_one_interface(name):
    network = build(name)
    masks = network(torch.randn(2, 2, report.N_BINS, 30))
    assert masks.shape == (2, 3, 2, report.N_BINS, 30)
    masks.square().mean().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_without_skips_nothing_passes_beside_the_bottleneck():
    network = DANN(skips=())
    nn.init.zeros_(network.bottleneck[0].weight)
    one, other = (network(torch.randn(1, 2, 48, 32)) for _ in range(2))
    torch.testing.assert_close(one, other)


def test_masks_multiply_each_part():
    mixture = torch.tensor([3.0, 5.0]).view(1, 2, 1, 1)
    masks = torch.tensor([[2.0, -1.0], [0.0, 1.0]]).view(1, 2, 2, 1, 1)
    assert apply_masks(masks, mixture).flatten().tolist() == [6.0, -5.0, 0.0, 5.0]


def test_masks_are_finite_and_depend_neither_on_the_level_nor_on_the_batch():
    network = DANN().eval()
    one, loud = torch.randn(1, 2, 64, 32), 100 * torch.randn(1, 2, 64, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(100 * one), network(1000 * one), atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(network(torch.cat((one, loud)))[:1], network(one), atol=1e-5, rtol=1e-4)
        assert torch.isfinite(network(torch.zeros(1, 2, 64, 32))).all(), "of silence"


@pytest.mark.parametrize(("call", "message"), [
    (lambda: build("unet"), "no network 'unet'"),
    (lambda: DANN(skips=(5,)), "no skip connection"),
    (lambda: DANN(channels=(8, 8)), "expected 4"),
    (lambda: DANN(kernels=(3,)), "kernels has 1 entries, expected 4"),
    (lambda: DANN(across=(0, 8, 8, 8))(torch.zeros(1, 2, 64, 16)), "built for 512"),
    (lambda: DANN()(torch.zeros(1, 3, 64, 64)), "2 parts"),
    (lambda: DANN()(torch.zeros(1, 2, 64, 15)), "at least 32 by 16"),
    (lambda: build("feedforward")(torch.zeros(1, 2, 64, 15)), "built for 1025"),
    (lambda: build("feedforward", context=4), "odd"),
])
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_layer_across_bins_sees_each_frame_of_each_map_as_a_whole():
    layer, features = AcrossBins(n_bins=9, n_maps=3, n_units=4), torch.randn(2, 3, 9, 7)
    norm = nn.functional.instance_norm
    units = norm(torch.einsum("ub,nmbt->nmtu", layer.inward.weight, features)).relu()
    added = norm(torch.einsum("bu,nmtu->nmbt", layer.outward.weight, units)).relu()
    torch.testing.assert_close(layer(features), features + added, atol=1e-5, rtol=1e-4)


def test_the_best_network_is_of_the_size_of_the_report_s():
    best = n_parameters(network_of(BEST))
    assert best == pytest.approx(n_parameters(DANN()), rel=0.02) and best < 550_000


def test_masks_are_closed_outside_their_bands():
    network = build("dann", bands=((0, 10), (5, 1024), (0, 1024)))
    masks = network(torch.randn(1, 2, 1025, 16))
    assert not masks[:, 0, :, 11:].any() and not masks[:, 1, :, :5].any()
    assert masks[:, 0, :, :11].all() and masks[:, 2].all()


def test_a_network_that_is_asked_answers_by_the_question_alone():
    """Before training all questions are the same; then each source has its own, whatever else is in the batch."""
    network, chunks = build("asked", n_sources=4), torch.randn(2, 2, 64, 16)
    masks = network(chunks)
    assert masks.shape == (2, 4, 2, 64, 16)
    torch.testing.assert_close(masks[:, 0], masks[:, 3])
    with torch.no_grad():
        network.encoder[1][-1].factor[2] *= 2
    other = network(chunks)
    torch.testing.assert_close(other[:, :2], masks[:, :2])
    assert not torch.allclose(other[:, 2], masks[:, 2])
    torch.testing.assert_close(network(chunks[1:]), other[1:], atol=1e-4, rtol=1e-3)
