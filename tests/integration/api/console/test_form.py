"""The form of Make, of the real document and the catalog, in node: every field has a widget, and a new one appears."""

import json
import subprocess

import pytest

from api.console.files import FOLDER
from jobs.params.media import PICTURE_NAMES
from jobs.params.registry import MODALITIES

FORM = """
import { readFileSync } from "node:fs";
const { bodyOf, fieldsOf, firstValues, formsOf, isWhole, mediaKind, modalitiesOf, usesOf, valuesOf } =
  await import(process.argv[1]);
const { stepsField } = await import(new URL("steps.js", process.argv[1]));
const { document, models } = JSON.parse(readFileSync(0, "utf-8"));
const modalities = modalitiesOf(document);
const formOf = (modality, model) => fieldsOf(modality, model).map((one) => ({ ...one, kind: mediaKind(one.name) }));
const forms = Object.fromEntries(modalities.map((modality) => {
  const own = [null, ...models.filter((model) => model.modality === modality.name)];
  return [modality.name, Object.fromEntries(own.map((model) => [model?.id ?? "", formOf(modality, model)]))];
}));
const fields = forms.image[""];
const params = { model: "chaos", prompt: "a tree", width: 512, height: 256, seed: 7, quality: "standard",
  reference_images: ["inp_1"] };
const again = bodyOf(valuesOf(params, fields), fields);
const untouched = Object.fromEntries(Object.entries(forms.image).map(([id, own]) => [id, bodyOf({}, own)]));
const storyboard = formsOf(document).find((one) => one.name === "storyboard");
const board = Object.fromEntries([null, ...models.filter((model) => model.modality === storyboard.models)]
  .map((model) => [model?.id ?? "", fieldsOf(storyboard, model)]));
const shots = [{ prompt: "a", continues: true }, { prompt: "b", image: "inp_1" },
  { prompt: "c", image: "inp_2", continues: true }];
const sent = bodyOf(valuesOf({ shots, width: 320, height: 256 }, board[""]), board[""]);
const whole = [sent, { shots: [{}] }, {}].map((body) => isWhole(body, board[""]));
const chain = fieldsOf(formsOf(document).at(-1), null)
  .map((one) => (one.name === "steps" ? stepsField({ ...one, widget: "rows" }, formsOf(document), models) : one));
const { steps: [first] } = firstValues(chain);
const [source] = chain[0].earlier([first], 1);
const second = { id: "second", values: { modality: "remove-background", model: "chaos", input_image: source } };
first.values = { ...first.values, name: "picture", prompt: "a" };
const chained = bodyOf({ steps: [first, second] }, chain);
const speech = forms.speech[""];
const quiet = [null, undefined, -20].map((loudness) => bodyOf(valuesOf(bodyOf({ loudness }, speech), speech), speech));
const uses = usesOf(modalities, "image").map((use) => `${use.modality.name} ${use.field.name}`);
console.log(JSON.stringify({ forms, again, untouched, uses, board, sent, whole, source, chained, quiet }));
"""
WORDS = """
const { backendWords, secondsBound, storedWords } = await import(process.argv[1]);
const partner = { name: "partner", kind: "openai", reason: "primary_down" };
const backends = [{ name: "local", kind: "local", reason: "pinned" }, partner];
const counted = { database: 8e6, store: 0, store_free: 2e9, measured_at: new Date(Date.now() - 7_200_000) };
const uncounted = { database: 8e6, store: null, store_free: null, measured_at: null };
console.log(JSON.stringify([...backends.map(backendWords), ...[5, 0.05, null].map(secondsBound),
  ...[counted, uncounted].map(storedWords)]));
"""
CHANGED = """
const { changedWords, wordsOf } = await import(process.argv[1]);
const before = wordsOf({ description: null, tags: ["mug"], labels: { shop: "eu" } });
console.log(JSON.stringify([{}, { tags: "mug, new" }, { description: "a", labels: "" }]
  .map((typed) => changedWords(before, { ...before, ...typed }))));
"""
PARSE = """
import { readFileSync } from "node:fs";
import vm from "node:vm";
for (const file of process.argv.slice(1)) new vm.SourceTextModule(readFileSync(file, "utf-8"), { identifier: file });
"""
ELSEWHERE = {"modality", "model", "width", "height", "resolution"}
"""Fields that the form has in another place: the tabs, the menu of models, the size."""


def run(node, program, arguments, given=""):
    options = ["--experimental-vm-modules", "--no-warnings", "--input-type=module"]
    command = [str(node), *options, "-e", program, *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout


@pytest.fixture
def form(client, node, all_models):
    """What the form is made of, after a change of the document, and with native sizes or other abilities of models."""

    def made(change=lambda document: None, native=(), able=(), without=()):
        document, models = client.get("/schema/openapi.json").json(), client.get("/models/v1").json()["models"]
        change(document)
        for model in models:
            if model["id"] in native:
                model["limits"]["native_sizes"] = native[model["id"]]
            if model["id"] in able:
                model["capabilities"] += able[model["id"]]
            model["capabilities"] = [word for word in model["capabilities"] if word not in without]
        given = json.dumps({"document": document, "models": models})
        return json.loads(run(node, FORM, [(FOLDER / "make" / "fields.js").as_uri()], given))

    return made


def named(fields):
    return {field["name"]: field for field in fields}


def test_every_field_of_every_modality_has_a_widget(client, form):
    schemas = client.get("/schema/openapi.json").json()["components"]["schemas"]
    forms = form()["forms"]
    assert [modality.name for modality in MODALITIES] == list(forms)
    for modality in MODALITIES:
        properties = schemas[modality.params.__name__]["properties"].keys()
        hidden = ELSEWHERE if {"width", "height"} <= properties else ELSEWHERE - {"resolution"}
        fields = named(forms[modality.name][""])
        assert properties - hidden == fields.keys() - {"size"}
        assert ("size" in fields) == ({"width", "height"} <= properties)
        kinds = {name: field["kind"] for name, field in fields.items() if field["widget"] in ("media", "media-list")}
        shown = dict.fromkeys(PICTURE_NAMES, "input_image")  # in the document a picture has this name everywhere
        kept = {shown.get(name, name): kind for name, kind in modality.params.media.items()}
        assert {name: "audio" if kind == "recording" else kind for name, kind in kept.items()} == kinds


def test_the_limits_are_those_of_the_model(client, form):
    forms = form()["forms"]["image"]
    for model in client.get("/models/v1").json()["models"]:
        if model["modality"] != "image":
            continue
        fields, limits = named(forms[model["id"]]), model["limits"]
        assert min(4000, limits["max_prompt_chars"]) == fields["prompt"]["most"]
        assert ("negative_prompt" in fields) == ("negative-prompt" in model["capabilities"])
        assert ("reference_images" in fields) == ("references" in model["capabilities"])
        for size in fields["size"]["sizes"]:
            for side in (size["width"], size["height"]):
                assert limits["min_side"] <= side <= limits["max_side"]
                assert 0 == side % (limits["side_multiple"] or 1)


def test_a_field_is_there_for_models_that_use_it(form):
    images = {
        model_id: named(fields) for model_id, fields in form(able={"chaos-edit": ["mask"]})["forms"]["image"].items()
    }
    assert ["prompt", "input_image", "mask", "padding", "reference_images"] == list(images["chaos-edit"])[:5]
    assert "control_image" not in images["chaos-edit"]
    assert ("numbers", 2048) == (
        images["chaos-edit"]["padding"]["widget"],
        images["chaos-edit"]["padding"]["schema"]["properties"]["left"]["maximum"],
    )
    assert {"chaos-edit", ""} == {model_id for model_id, fields in images.items() if "mask" in fields}
    assert "rows" == images["chaos-edit"]["elements"]["widget"]
    assert {"elements", "loras"}.isdisjoint(images["chaos"])


def test_another_kind_of_input_is_there_for_models_that_take_it(form):
    inputs = {"embedding": "input_image", "remove-background": "input_video", "upscale": "input_video"}
    able = {"chaos-embedding": ["pictures"], "chaos-cutout": ["films"], "chaos-upscale": ["films"]}
    for made, is_there in ((form(able=able), True), (form(without=("films", "pictures")), False)):
        for modality, name in inputs.items():
            own = [named(fields) for model_id, fields in made["forms"][modality].items() if model_id]
            assert own
            assert [is_there] * len(own) == [name in fields for fields in own]
    assert "lines" == named(made["forms"]["embedding"][""])["texts"]["widget"]


def test_an_untouched_form_asks_for_the_models_own_size(form):
    made = form(native={"chaos": [[256, 256]], "chaos-two": [[1344, 768], [768, 1024]]})
    offered = {
        model_id: [tuple(size.values()) for size in named(fields)["size"]["sizes"]]
        for model_id, fields in made["forms"]["image"].items()
    }
    assert [("1:1", 256, 256)] == offered["chaos"]
    assert [("16:9", 1344, 768), ("3:4", 768, 1024)] == offered["chaos-two"]
    assert {"chaos": {"width": 256, "height": 256}, "chaos-two": {"width": 1344, "height": 768}} == {
        model_id: body for model_id, body in made["untouched"].items() if body
    }


def test_a_modality_of_tomorrow_appears_by_itself(form):
    def add(document):
        document["components"]["schemas"]["UpscaleParams"] = {
            "type": "object",
            "properties": {
                "input_image": {"type": "string", "maxLength": 28_000_000, "description": "The picture."},
                "factor": {"type": "integer", "minimum": 2, "maximum": 8, "default": 2, "description": "How much."},
                "tones": {"enum": ["warm", "cold"], "default": "warm"},
            },
            "required": ["input_image"],
        }
        body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/UpscaleParams"}}}}
        document["paths"]["/generate/upscale/v1"] = {"post": {"summary": "Upscale", "requestBody": body}}

    found = form(add)
    fields = named(found["forms"]["upscale"][""])
    assert ("media", "main", True) == tuple(fields["input_image"][name] for name in ("widget", "group", "isRequired"))
    assert ("number", "more", "How much.") == tuple(
        fields["factor"][name] for name in ("widget", "group", "description")
    )
    assert "choice" == fields["tones"]["widget"]
    assert "upscale input_image" in found["uses"]


def test_a_request_becomes_the_form_and_the_request_again(form):
    """Also with none in a field that is another when it is left out."""
    made = form()
    assert [{"loudness": None}, {}, {"loudness": -20}] == made["quiet"]
    assert {
        "model": "chaos",
        "prompt": "a tree",
        "width": 512,
        "height": 256,
        "seed": 7,
        "reference_images": ["inp_1"],
    } == made["again"]


def test_a_storyboard_has_a_small_form_for_each_shot(form):
    made = form(without=("image-to-video",))
    fields, blind = named(made["board"][""]), named(made["board"]["chaos-video"])
    assert ["prompt", "shots", "input_image", "elements", "quality", "size", "seed"] == list(fields)[:7]
    widgets = {"prompt": "long-text", "duration_seconds": "number", "image": "media", "continues": "switch"}
    assert widgets == {field["name"]: field["widget"] for field in fields["shots"]["fields"]}
    assert ["prompt", "duration_seconds"] == [field["name"] for field in blind["shots"]["fields"]]
    assert (12, 5) == (blind["shots"]["most"], named(blind["shots"]["fields"])["duration_seconds"]["schema"]["maximum"])


def test_shots_are_sent_without_what_does_not_apply(form):
    """The first has none to continue, and one that continues begins with no other picture."""
    made = form()
    shots = [{"prompt": "a"}, {"prompt": "b", "image": "inp_1"}, {"prompt": "c", "continues": True}]
    assert {"shots": shots, "width": 320, "height": 256} == made["sent"]
    assert [True, False, False] == made["whole"]


def test_a_step_takes_what_another_makes_by_its_name_then(form):
    """A step that was named afterwards; and a model of another modality is not sent."""
    made = form()
    assert "step:step-1" == made["source"]["id"]
    assert [
        {"modality": "image", "name": "picture", "prompt": "a"},
        {"modality": "remove-background", "input_image": "step:picture"},
    ] == made["chained"]["steps"]


def test_structs_and_bounds_are_said_in_words(node):
    said = json.loads(run(node, WORDS, [(FOLDER / "format.js").as_uri()]))
    stored = "database 8.00 MB, files 0 B (counted 2 h ago), 2.00 GB free"
    assert ["local", "partner (primary down)", "≤ 5 s", "≤ 0.1 s", "", stored, "database 8.00 MB"] == said


def test_words_that_were_not_changed_are_not_sent(node):
    """An analysis may have described the item since the page was opened."""
    said = json.loads(run(node, CHANGED, [(FOLDER / "format.js").as_uri()]))
    assert [{}, {"tags": ["mug", "new"]}, {"description": "a", "labels": {}}] == said


def test_every_module_is_one_that_browsers_read(node):
    modules = [str(path) for path in FOLDER.rglob("*.js") if path.name != "theme.js"]
    assert len(modules) > 25
    run(node, PARSE, modules)
