"""What the encoder puts on the images of a job."""

import numpy as np
import pytest
from PIL import Image

from jobs.params.image import ImageParams
from pipelines.branding.finish import finish
from pipelines.branding.guidance import for_model, with_palette, with_subject
from pipelines.runtime.protocol import Inputs, Output, Outputs, RawOutput


def raw(count=1):
    return RawOutput(arrays={str(number): np.full((32, 48, 3), 90, np.uint8) for number in range(count)})


def test_images_without_a_wish_stay_the_same_object():
    made = raw()
    assert made is finish(made, ImageParams(prompt="p"), {}).raw


def test_each_image_gets_the_palette_and_says_how_near_it_is():
    finished = finish(raw(2), ImageParams(prompt="p", palette=("#D62828",)), {})
    files = tuple(Output(path=f"{number}.png", media_type="image/png") for number in range(3))
    described = finished.described(Outputs(files=files)).files
    assert all(one.palette_distance < one.palette_distance_before for one in described[:2])
    assert described[2].palette_distance is None


def test_a_logo_file_is_stamped(tmp_path):
    Image.new("RGBA", (4, 4), "white").save(tmp_path / "logo.png")
    params = ImageParams(prompt="p", logo_url="x", logo_position="top_left")
    made = finish(raw(), params, {"logo_url": str(tmp_path / "logo.png")}).raw.arrays["0"]
    assert abs(172 - int(made[2, 2, 0])) <= 1
    assert 90 == made[31, 47, 0]


@pytest.mark.parametrize("mode", [None, "similar"])
def test_a_subject_goes_over_the_image_in_its_own_size(tmp_path, mode):
    cut = Image.new("RGBA", (20, 10))
    cut.paste((200, 0, 0, 255), (5, 0, 15, 10))
    cut.save(tmp_path / "subject.png")
    asked = ImageParams(prompt="p", subject_image="x", palette_mode=mode)
    params = with_palette(asked, tmp_path / "subject.png")
    finished = finish(with_subject(raw(), params, tmp_path / "subject.png"), asked, {})
    assert {"0"} == finished.raw.arrays.keys()
    assert (10, 20, 3) == finished.raw.arrays["0"].shape
    assert (200, 0, 0) == tuple(finished.raw.arrays["0"][5, 10])
    assert (mode is not None) == (finished.fits[0] is not None)


def test_a_palette_guides_the_prompt_of_images_alone():
    guided = with_palette(ImageParams(prompt="a chair", palette=("#E6212B",)), None)
    assert "a chair, in red" == guided.prompt


def test_the_model_gets_neither_logo_nor_subject(tmp_path):
    files = dict.fromkeys(("input_image", "logo_url", "subject_image"), tmp_path)
    assert ["input_image"] == list(for_model(Inputs(files)).files)
