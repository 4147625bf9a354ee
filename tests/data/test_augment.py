"""Augmentations against scipy, Pillow and plain loops, image by image, with the same random numbers."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from scipy import stats
from scipy.ndimage import gaussian_filter, map_coordinates

from bakeoff.data.augment import Batch, augmenter
from bakeoff.errors import UsageError
from bakeoff.spec.steps import AUGMENTATIONS

H, W, N = 20, 28, 6


def smooth_images() -> np.ndarray:
    """(N, 1, H, W) of blobs inside the frame, so that resampling has no edges to quarrel about."""
    rows, columns = np.mgrid[:H, :W]
    generator = np.random.default_rng(0)
    images = [
        sum(
            generator.uniform(50, 200)
            * np.exp(-((rows - generator.uniform(6, 14)) ** 2 + (columns - generator.uniform(8, 20)) ** 2) / 8)
            for _ in range(3)
        )
        for _ in range(N)
    ]
    return np.stack(images)[:, None].astype(np.float32)


def noisy_images(channels: int = 3) -> np.ndarray:
    """(N, channels, H, W) uint8: no two pixels alike for long."""
    return np.random.default_rng(1).integers(0, 256, (N, channels, H, W), dtype=np.uint8)


def batch_of(images: np.ndarray, sight: list[int] | None = None) -> Batch:
    count = len(images)
    sights = torch.tensor(sight or [0] * count)
    return Batch(torch.from_numpy(images), torch.arange(count), sights)


def augmented(steps: list[str], images: np.ndarray, seed: int = 7, sight: list[int] | None = None) -> Batch:
    return augmenter(steps)(batch_of(images, sight), torch.Generator().manual_seed(seed))


def generator(seed: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def uniforms(numbers: torch.Generator, *shape: int) -> np.ndarray:
    return (torch.rand(*shape, generator=numbers) * 2 - 1).numpy()


def reference(images: np.ndarray, steps: list[tuple[str, float]], seed: int) -> np.ndarray:
    """Each step's map about the image's centre, multiplied out, one scipy resampling per image."""
    numbers = generator(seed)
    drawn = [uniforms(numbers, N, 2, H, W) if kind == "elastic" else uniforms(numbers, N, 2) for kind, _ in steps]
    centre = np.array([(H - 1) / 2, (W - 1) / 2])
    out = np.empty_like(images)
    for index in range(N):
        # input place = matrix @ (output place - centre) + offset + centre + field
        matrix, offset, field = np.eye(2), np.zeros(2), np.zeros((2, H, W))
        for (kind, amount), uniform in zip(steps, drawn, strict=True):
            step, move, number = np.eye(2), np.zeros(2), uniform[index]
            if kind == "rotate":
                angle = math.radians(amount * number[0])
                step = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
            elif kind == "zoom":
                step = np.eye(2) / (1 + amount * number[0])
            elif kind == "shear":
                step = np.array([[1, 0], [math.tan(math.radians(amount * number[0])), 1]])
            elif kind == "flip":
                step = np.diag([1, -1 if number[0] < 0 else 1])
            elif kind == "shift":
                move = -amount * np.array([number[1] * H, number[0] * W])
            else:
                smoothed = [amount * gaussian_filter(part, 3.0, mode="constant") for part in number]
                field = field + np.stack(smoothed[::-1])
            matrix, offset = matrix @ step, matrix @ move + offset
        places = np.stack(np.mgrid[:H, :W]).reshape(2, -1) - centre[:, None]
        places = matrix @ places + (offset + centre)[:, None] + field.reshape(2, -1)
        out[index, 0] = map_coordinates(images[index, 0], places, order=1, mode="grid-constant").reshape(H, W)
    return out


@pytest.mark.parametrize(
    "steps",
    [
        [("rotate", 30)],
        [("zoom", 0.2)],
        [("shift", 0.1)],
        [("shear", 20)],
        [("elastic", 20)],
        [("rotate", 10), ("zoom", 0.1), ("shift", 0.1)],
        [("shift", 0.1), ("rotate", 20)],
        [("shear", 15), ("flip", 0), ("shift", 0.1)],
        [("rotate", 20), ("elastic", 15), ("elastic", 15), ("zoom", 0.1)],
    ],
    ids=lambda steps: "-".join(kind for kind, _ in steps),
)
def test_geometry_against_scipy(steps: list[tuple[str, float]]) -> None:
    images = smooth_images()
    written = {
        "rotate": "degrees={}",
        "zoom": "by={}",
        "shift": "by={}",
        "shear": "degrees={}",
        "flip": "mode=random",
        "elastic": "alpha={},sigma=3",
    }
    made = augmented([f"{kind}:{written[kind].format(amount)}" for kind, amount in steps], images)
    np.testing.assert_allclose(made.images.numpy(), reference(images, steps, 7), atol=0.01)
    assert np.abs(made.images.numpy() - images).max() > 5, "the images did change"


def test_flip_alone_is_exact() -> None:
    images = noisy_images()
    made = augmented(["flip"], images).images.numpy()
    mirrored = uniforms(generator(), N, 2)[:, 0] < 0
    assert 0 < mirrored.sum() < N
    assert made.dtype == np.uint8
    for index in range(N):
        np.testing.assert_array_equal(made[index], images[index][..., ::-1] if mirrored[index] else images[index])


def test_alternating_flip_shows_every_image_both_ways_in_two_epochs() -> None:
    """Whatever is drawn: in epoch e an image of coin c is mirrored where c + e is odd."""
    images, coins = noisy_images(), [0, 1, 1, 0, 1, 0]
    for epoch in range(3):
        sight = [coin + epoch for coin in coins]
        made = augmented(["flip:mode=alternating"], images, seed=epoch, sight=sight).images.numpy()
        for index in range(N):
            expected = images[index][..., ::-1] if sight[index] % 2 else images[index]
            np.testing.assert_array_equal(made[index], expected)


def test_crop_against_numpys_reflection() -> None:
    images = noisy_images()
    made = augmented(["crop:padding=5"], images).images.numpy()
    moves = torch.randint(-5, 6, (N, 2), generator=generator()).numpy()
    assert made.dtype == np.uint8
    for index, (down, across) in enumerate(moves):
        padded = np.pad(images[index], ((0, 0), (5, 5), (5, 5)), mode="reflect")
        np.testing.assert_array_equal(made[index], padded[:, 5 + down : 5 + down + H, 5 + across : 5 + across + W])


@pytest.mark.parametrize(("size", "fill"), [(4, 0), (7, 9)])
def test_cutout_against_loops(size: int, fill: int) -> None:
    images = noisy_images()
    made = augmented([f"cutout:size={size},fill={fill}"], images).images.numpy()
    numbers = generator()
    centres = [torch.randint(side, (N,), generator=numbers).numpy() for side in (H, W)]
    for index in range(N):
        expected = images[index].copy()
        top, left = (int(centre[index]) - size // 2 for centre in centres)
        for row in range(top, top + size):
            for column in range(left, left + size):
                if 0 <= row < H and 0 <= column < W:
                    expected[:, row, column] = fill
        np.testing.assert_array_equal(made[index], expected)


@pytest.mark.parametrize(
    ("name", "enhance"), [("brightness", ImageEnhance.Brightness), ("contrast", ImageEnhance.Contrast)]
)
def test_brightness_and_contrast_against_pillow(name: str, enhance: type) -> None:
    """To 1.4 grey levels: Pillow cuts off the result's fraction, and rounds the mean, which counts 0.8 times."""
    images = noisy_images(channels=1)
    made = augmented([f"{name}:by=0.8"], images).images.numpy()
    factors = 1 + 0.8 * uniforms(generator(), N, 2)[:, 0]
    assert factors.min() < 0.8
    assert factors.max() > 1.2
    for index, factor in enumerate(factors):
        expected = np.asarray(enhance(Image.fromarray(images[index, 0])).enhance(float(factor)), np.float32)
        np.testing.assert_allclose(made[index, 0], expected, atol=1.4)


def test_contrast_keeps_the_mean_of_a_colour_image() -> None:
    images = np.random.default_rng(2).integers(100, 150, (N, 3, H, W), dtype=np.uint8)
    made = augmented(["contrast:by=0.5"], images).images.numpy()
    factors = 1 + 0.5 * uniforms(generator(), N, 2)[:, 0]
    np.testing.assert_allclose(made.mean((1, 2, 3)), images.mean((1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(made.std((1, 2, 3)), factors * images.std((1, 2, 3)), rtol=1e-4)


def test_noise_is_normal_and_clipped() -> None:
    grey = np.full((N, 3, H, W), 128, np.uint8)
    added = (augmented(["noise:deviation=0.1"], grey).images.numpy() - 128) / 25.5
    assert stats.kstest(added.ravel(), "norm").pvalue > 0.01
    spread = augmented(["noise:deviation=1"], grey).images
    assert (spread.min(), spread.max()) == (0, 255)


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 8.0])
def test_mixup_shares_are_of_beta(alpha: float) -> None:
    """The larger share of a pair is that of x and 1 - x for x of Beta(alpha, alpha): by Kolmogorov's test at 1 %."""
    count = 4000
    flat = Batch(torch.zeros(count, 1, 1, 1), torch.zeros(count, dtype=torch.int64), torch.zeros(count))
    mix = augmenter([f"mixup:alpha={alpha}"])(flat, generator()).mix
    assert mix is not None
    share = mix[1].numpy()
    assert share.min() >= 0.5
    places = np.linspace(0.5, 0.999, 500)  # nearer to 1 single precision rounds to it
    beta = stats.beta(alpha, alpha)
    shares_below = (share[:, None] <= places).mean(0)
    expected = beta.cdf(places) - beta.cdf(1 - places)
    assert np.abs(shares_below - expected).max() < 1.63 / math.sqrt(count)


def test_mixup_blends_images_and_labels_alike() -> None:
    images = noisy_images()
    made = augmented(["mixup:alpha=1"], images)
    assert made.mix is not None
    lighter, share = made.mix
    for index in range(N):
        heavy, light = int(made.labels[index]), int(lighter[index])
        assert {heavy, light} == {index, (index + 1) % N}
        part = float(share[index])
        expected = part * images[heavy].astype(np.float64) + (1 - part) * images[light]
        np.testing.assert_allclose(made.images[index].numpy(), expected, atol=1e-3)


def test_cutmix_pastes_a_box_and_labels_share_by_area() -> None:
    """Images of one value each tell which pixel came from where."""
    count = 64
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 2, H, W)).copy()
    made = augmented(["cutmix"], images)
    assert made.mix is not None
    lighter, share = made.mix
    lightest = 1.0
    for index in range(count):
        following = (index + 1) % count
        pasted = made.images[index, 0].numpy() == following
        assert (pasted | (made.images[index, 0].numpy() == index)).all()
        assert (pasted == np.outer(pasted.any(1), pasted.any(0))).all(), "a box"
        kept = 1 - pasted.mean()
        heavy, light = (index, following) if kept >= 0.5 else (following, index)
        assert (int(made.labels[index]), int(lighter[index])) == (heavy, light)
        assert float(share[index]) == pytest.approx(max(kept, 1 - kept), abs=1e-6)
        lightest = min(lightest, kept)
    assert lightest < 0.5, "some boxes hide most of their image"


def test_cutmix_boxes_away_from_the_border_have_areas_of_beta() -> None:
    """A box whose centre leaves room on all sides keeps the part of the area that was drawn: even for alpha = 1."""
    count = 4000
    images = np.zeros((count, 1, 64, 64), np.uint8)
    images[::2] = 1
    made = augmented(["cutmix:alpha=1"], images).images[:, 0].numpy()
    boxes = made != images[:, 0]
    clear = ~(boxes[:, 0].any(1) | boxes[:, -1].any(1) | boxes[:, :, 0].any(1) | boxes[:, :, -1].any(1))
    areas = boxes[clear].mean((1, 2))
    sides = np.sqrt(areas) * 64
    np.testing.assert_allclose(sides, np.round(sides), atol=1e-9, err_msg="square boxes in square images")
    # a box of side s finds room for its centre with probability (1 - s)^2, to a pixel
    weight = 1 / (1 - np.sqrt(areas)) ** 2
    small = areas < 0.25
    assert weight[small].sum() / count == pytest.approx(0.25, rel=0.15)


@pytest.mark.parametrize("name", AUGMENTATIONS.builtin)
def test_every_augmentation_is_a_pure_function(name: str) -> None:
    """Of batch and generator: not of PyTorch's own generator, nor of the number of threads."""
    augment, threads = augmenter([name]), torch.get_num_threads()
    batch = Batch(torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8), torch.arange(8), torch.arange(8))
    images = batch.images.clone()
    first = augment(batch, generator(1))
    torch.manual_seed(5)
    torch.set_num_threads(2)
    again = augment(batch, generator(1))
    torch.set_num_threads(threads)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    assert torch.equal(batch.images, images), "the batch it was given is as it was"
    assert first.images.shape == images.shape
    assert first.images.dtype in (torch.uint8, torch.float32)
    assert not torch.equal(first.images, images)
    assert first.images.min() >= 0
    assert first.images.max() <= 255.01
    assert (first.mix is not None) == (name in ("mixup", "cutmix"))
    assert not torch.equal(first.images, augment(batch, generator(2)).images)


def test_pixels_are_fetched_before_a_step_that_needs_them() -> None:
    """A cut hole stays where it is cut when it follows a rotation, and turns when it comes first."""
    images = smooth_images()
    turned = augmented(["rotate:degrees=40"], images).images
    after = augmented(["rotate:degrees=40", "cutout:size=6,fill=200"], images).images
    numbers = generator()
    uniforms(numbers, N, 2)
    centres = [int(torch.randint(side, (N,), generator=numbers)[0]) for side in (H, W)]
    assert float(after[0, 0, centres[0], centres[1]]) == 200
    assert ((after == turned) | (after == 200)).all()
    before = augmented(["cutout:size=6,fill=200", "rotate:degrees=40"], images).images
    assert not ((before == turned) | (before == 200)).all()


def test_no_steps_leave_the_batch_as_it_is() -> None:
    batch = batch_of(noisy_images())
    assert augmenter([])(batch, generator()) is batch


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (["rotat:degrees=3"], r"augment: unknown choice 'rotat' \(closest: rotate"),
        (["zoom:bye=1"], "augment zoom: unknown key 'bye' .closest: by"),
        (["rotate:degrees=400"], "augment rotate: degrees = '400': must be less than or equal to 180"),
        (["flip:mode=up"], "augment flip: mode = 'up': must be 'random' or 'alternating'"),
        (["crop:padding=20"], "crop:padding=20 is too much for images of 20x28 pixels: they can be reflected by 19"),
        (["mixup", "cutmix"], "two steps mix labels; a recipe takes one such step, once"),
    ],
)
def test_a_wrong_step_gets_a_sentence(steps: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        augmented(steps, noisy_images())
