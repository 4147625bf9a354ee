"""The whitening layer against patches cut out one by one, and the network around it."""

import numpy as np
import pytest
import torch
from torch import nn

from bakeoff.models import count_parameters
from bakeoff.models.whitened import ShiftNorm, whitened_cnn


def pictures(count: int, channels: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Noise made smooth, so that neighbouring pixels and channels are correlated."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, channels, height + 2, width + 2, generator=generator)
    smooth = nn.functional.avg_pool2d(noise, 3, 1)
    return smooth + 0.5 * smooth.mean(1, keepdim=True)


def cut(images: torch.Tensor) -> np.ndarray:
    """All 2x2 patches, one by one: (patches, C x 4) float64."""
    array = images.double().numpy()
    _, _, height, width = array.shape
    return np.stack(
        [
            image[:, top : top + 2, left : left + 2].reshape(-1)
            for image in array
            for top in range(height - 1)
            for left in range(width - 1)
        ]
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_are_principal_directions_over_their_deviation(channels: int) -> None:
    """Against the singular values of the matrix of patches; the later half is the negative of the first."""
    images = pictures(20, channels, 9, 12)
    model = whitened_cnn(channels, 10, (9, 12))
    model.whiten(images)
    filters = model.whitening.weight.flatten(1)
    half = 4 * channels
    assert filters.shape == (2 * half, half)
    assert torch.equal(filters[half:], -filters[:half])
    patches = cut(images)
    _, singular, directions = np.linalg.svd(patches, full_matrices=False)
    expected = directions / np.sqrt(singular**2 / len(patches) + 5e-4)[:, None]
    same = np.sign((filters[:half].numpy() * expected).sum(1))
    np.testing.assert_allclose(filters[:half].numpy(), expected * same[:, None], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_leaves_the_layer_is_white(channels: int) -> None:
    """Second moments over all pixels: variance / (variance + 0.0005) on the diagonal, nothing elsewhere."""
    images = pictures(300, channels, 10, 10)
    model = whitened_cnn(channels, 10, (10, 10))
    model.whiten(images)
    with torch.no_grad():
        out = model.whitening(images).double()[:, : 4 * channels]
    values = out.transpose(0, 1).flatten(1)
    moments = values @ values.T / values.shape[1]
    variances = torch.from_numpy(np.linalg.eigvalsh(np.cov(cut(images).T, bias=True)).copy()).flip(0)
    torch.testing.assert_close(moments, torch.diag(moments.diagonal()), atol=1e-4, rtol=0)
    torch.testing.assert_close(moments.diagonal(), variances / (variances + 5e-4), atol=2e-3, rtol=0)


def test_filters_do_not_depend_on_chance() -> None:
    """Sign included: a new order of the images, which changes the last bits of the moments, changes no filter."""
    images = pictures(600, 3, 9, 9)
    first, again = whitened_cnn(3, 10, (9, 9)), whitened_cnn(3, 10, (9, 9))
    first.whiten(images)
    again.whiten(images.flip(0).contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(first.whitening.weight, again.whitening.weight)


def test_constant_images_can_be_whitened() -> None:
    """Directions without variance are multiplied by 1 / sqrt(0.0005), not by infinity."""
    model = whitened_cnn(1, 10, (9, 9))
    model.whiten(torch.ones(4, 1, 9, 9))
    assert model.whitening.weight.isfinite().all()
    assert float(model.whitening.weight.abs().max()) <= 1 / 5e-4**0.5 + 1e-3


def test_filters_are_no_parameters_but_are_saved() -> None:
    model = whitened_cnn(3, 10, (32, 32))
    assert "whitening.weight" not in dict(model.named_parameters())
    model.whiten(pictures(10, 3, 32, 32))
    other = whitened_cnn(3, 10, (32, 32))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.whitening.weight, model.whitening.weight)


def test_before_that_the_filters_are_orthonormal() -> None:
    filters = whitened_cnn(3, 10, (32, 32)).whitening.weight.flatten(1)
    torch.testing.assert_close(filters[:12] @ filters[:12].T, torch.eye(12))


def test_parameters_by_hand() -> None:
    """Whitening biases, six 3x3 convolutions with a shift each, and the linear layer: the paper's 1.97 M."""
    pairs = [(24, 64), (64, 64), (64, 256), (256, 256), (256, 256), (256, 256)]
    by_hand = 24 + sum(9 * inputs * outputs + outputs for inputs, outputs in pairs) + 256 * 10
    assert count_parameters(whitened_cnn(3, 10, (32, 32))) == by_hand
    assert round(by_hand / 1e6, 2) == 1.97


def test_shift_norm_is_batch_normalisation_without_a_scale() -> None:
    images = torch.randn(8, 5, 4, 4)
    ours, plain = ShiftNorm(5), nn.BatchNorm2d(5, momentum=0.4)
    nn.init.normal_(ours.bias)
    plain.bias.data.copy_(ours.bias.data)
    torch.testing.assert_close(ours(images), plain(images))
    assert [name for name, _ in ours.named_parameters()] == ["bias"]
    torch.testing.assert_close(ours.eval()(images), plain.eval()(images))


def test_blocks_begin_as_identities() -> None:
    """A fresh convolution hands its inputs on as its first outputs."""
    convolution = whitened_cnn(3, 10, (32, 32)).block1.conv1
    images = torch.randn(2, 24, 8, 8)
    torch.testing.assert_close(convolution(images)[:, :24], images)


def test_the_scale_multiplies_the_logits() -> None:
    """At width 64 the logits of a fresh network are small: a ninth of the linear layer's."""
    full, ninth = (whitened_cnn(1, 10, (28, 28), scale=scale).eval() for scale in (1.0, 1 / 9))
    ninth.load_state_dict(full.state_dict())
    images = torch.rand(2, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(9 * ninth(images), full(images))
