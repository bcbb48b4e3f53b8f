"""Fields that take media, and letting go of what was in them."""

from jobs.params.image import ImageParams
from jobs.params.media import drop_data_urls, media_of
from jobs.params.speech import SpeechParams

DATA, URL = "data:image/png;base64,QQ==", "https://example.org/a.png"


def test_data_urls_are_dropped_wherever_they_are():
    params = ImageParams(prompt="a", input_image=DATA.replace("data", "DATA"), reference_images=(URL, DATA))
    drop_data_urls(params)
    assert (None, []) == (params.input_image, list(media_of(params)))


def test_other_sources_stay():
    params = ImageParams(prompt="a", input_image=URL, reference_images=(URL,))
    drop_data_urls(params)
    assert [URL, URL] == [medium.source for medium in media_of(params)]
    drop_data_urls(SpeechParams(text="a"))
