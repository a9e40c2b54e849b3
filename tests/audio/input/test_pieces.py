"""Frames of any sample format become float32."""

import av
import numpy as np
import pytest

from speech.audio.input.pieces import samples_of

LEFT, RIGHT = [0.5, -1.0, 0.0], [0.25, 0.0, -0.5]
EXPECTED = np.array([LEFT, RIGHT], np.float32).T


@pytest.mark.parametrize(
    ("format", "dtype", "scale", "zero"),
    [
        ("u8", np.uint8, 128, 128),
        ("s16", np.int16, 1 << 15, 0),
        ("s32", np.int32, 1 << 31, 0),
        ("flt", np.float32, 1, 0),
        ("dbl", np.float64, 1, 0),
    ],
)
@pytest.mark.parametrize("planar", [False, True])
def test_integers_are_fractions_of_full_scale_and_channels_stand_side_by_side(format, dtype, scale, zero, planar):
    values = (np.array([LEFT, RIGHT]) * scale + zero).astype(dtype)
    laid = values if planar else values.T.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(laid), format=format + "p" * planar, layout="stereo")
    found = samples_of(frame)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, EXPECTED)
