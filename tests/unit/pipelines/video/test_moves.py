import pytest

from pipelines.video.moves import Move, choose_move, unread


@pytest.mark.parametrize(
    ("prompt", "zoom", "right", "down", "orbits"),
    [
        ("zoom in", 1, 0, 0, False),
        ("Push in on the label", 1, 0, 0, False),
        ("the camera moves closer", 1, 0, 0, False),
        ("zoom out", -1, 0, 0, False),
        ("pull back to reveal the room", -1, 0, 0, False),
        ("dolly out", -1, 0, 0, False),
        ("pan left", 0, -1, 0, False),
        ("panning right", 0, 1, 0, False),
        ("pan", 0, 1, 0, False),
        ("pan up", 0, 0, -1, False),
        ("tilt down", 0, 0, 1, False),
        ("tilt", 0, 0, -1, False),
        ("pan from the left to the right", 0, 1, 0, False),
        ("up and to the left", 0, -1, -1, False),
        ("orbit around the bottle", 0, 0, 0, True),
        ("the camera turns around the bottle", 0, 0, 0, True),
        ("parallax", 0, 0, 0, True),
        ("a close-up of a shoe", 1, 0, 0, False),
        ("close up, the logo on the left, pan right", 1, 1, 0, False),
        ("slow zoom out, drifting to the left", -1, -1, 0, False),
        ("zoom in and orbit", 1, 0, 0, True),
    ],
)
def test_words_that_name_a_move(prompt: str, zoom: int, right: float, down: float, orbits: bool) -> None:
    move = choose_move(prompt, seed=42)

    assert (zoom, right, down, orbits) == (move.zoom, move.right, move.down, move.orbit != 0)
    assert move.words


@pytest.mark.parametrize(("prompt", "reach"), [("slowly pan left", 0.5), ("pan left", 1.0), ("fast pan left", 1.5)])
def test_words_that_say_how_far(prompt: str, reach: float) -> None:
    assert reach == choose_move(prompt, seed=42).reach


@pytest.mark.parametrize(
    "prompt", ["cinematic motion", "a dog runs over a meadow", "leftovers, upside", "leaves around a vase on the right"]
)
def test_words_that_name_no_move_give_a_slow_push_with_a_drift(prompt: str) -> None:
    move = choose_move(prompt, seed=42)

    assert 1 == move.zoom
    assert 0 < abs(move.right) < 0.5
    assert 0 < abs(move.down) < 0.5
    assert move.reach < 1


@pytest.mark.parametrize("prompt", ["static shot", "locked-off camera", "no camera movement"])
def test_no_move(prompt: str) -> None:
    assert Move(words="static") == choose_move(prompt, seed=42)


def test_the_seed_decides_only_what_the_prompt_leaves_open() -> None:
    drifts = {(move.right > 0, move.down > 0) for move in (choose_move("cinematic motion", seed) for seed in range(40))}

    assert 4 == len(drifts)
    assert {-1, 1} == {choose_move("orbit", seed).orbit for seed in range(40)}
    assert 1 == len({choose_move("pan left", seed).right for seed in range(40)})
    assert {1} == {choose_move("orbit to the right", seed).orbit for seed in range(40)}
    assert choose_move("orbit", 7) == choose_move("orbit", 7)


@pytest.mark.parametrize(
    "prompt",
    [
        "cinematic motion",
        "slow zoom in, drifting to the left",
        "pan from the left to the right",
        "Close-up; static shot",
    ],
)
def test_a_prompt_of_moves_alone_is_read_whole(prompt: str) -> None:
    assert () == unread(prompt)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a dog runs, slow zoom in", '"dog", "runs"'),
        ("orbit around the bottle", '"bottle"'),
        ("l'été à la plage", '"l\'été", "à", "la", "plage"'),
    ],
)
def test_words_that_name_no_move_are_said(prompt: str, words: str) -> None:
    assert (f"did not look at {words}",) == unread(prompt)
