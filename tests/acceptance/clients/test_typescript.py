"""The TypeScript SDK in node: every statement of the documents' JavaScript, and the native client.

Of the statements only the import, the host and the key are changed, and the ids that the documents made up, which are
those of what the statements before have made.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.signing import webhook_secret
from pipelines.matting.evaluate import PHOTO
from tests.support.deploy.document_code import CHECKS, program, regions
from tests.support.deploy.node_packages import RegistryAway, install
from tests.support.paths import ROOT
from tests.support.servers.media_server import MediaServer
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.service import Service
from tests.support.wait import until

SDK = ROOT / "sdk" / "typescript"
SAMPLES = ROOT / "tests" / "acceptance" / "samples"
HEADINGS = (
    "Image Generation",
    "Video Generation",
    "Voice Synthesis",
    "Background Removal",
    "Text Generation",
    "Media Library",
    "API Reference",
)
WHALE = "new WhaleClient({ apiKey: 'wk_live_...' })"
NAMES = ("AtelierClient", "AtelierError", "VideoGenClient", "WhaleClient", "verifyWebhook", "verifyWhaleWebhook")
SECONDS = 240


@pytest.fixture(scope="module")
def photos() -> Iterator[str]:
    """The host of the pictures that the document names."""
    with MediaServer() as server:
        for name in ("product_photo", "photo_1", "photo_2", "photo_3"):
            server.serve(f"/media/{name}.jpg", PHOTO.read_bytes(), headers={"content-type": "image/jpeg"})
        yield server.url


def start(node: Path, folder: Path, text: str) -> subprocess.Popen[str]:
    """Start a program of the SDK."""
    imports = f"import * as sdk from '{(SDK / 'dist' / 'index.js').as_uri()}';\n"
    names = (
        "const { AtelierClient, AtelierError, VideoGenClient, WhaleClient, verifyWebhook, verifyWhaleWebhook } = sdk;\n"
    )
    (folder / "program.mjs").write_text(imports + names + text)
    command = [str(node), "program.mjs"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def printed(program: subprocess.Popen[str]) -> str:
    """What a program prints; it must end well."""
    output, errors = program.communicate(timeout=SECONDS)
    assert 0 == program.returncode, output + errors
    return output


def run(node: Path, folder: Path, text: str) -> str:
    """What a program of the SDK prints."""
    return printed(start(node, folder, text))


REGIONS = {
    "Image Generation": 1,
    "Video Generation": 2,
    "Voice Synthesis": 2,
    "Background Removal": 2,
    "Media Library": 0,
}
"""The headings of the document that has statements, and how many answers stand below each."""


@pytest.fixture(scope="module")
def programs(
    studio: Service, node: Path, photos: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """The program of each region. All are started at once, so that one is computed for while another one waits."""
    found = regions((SAMPLES / "whaletools.txt").read_text(), "const whale = ", HEADINGS)
    assert set(HEADINGS) - {"API Reference"} == set(found)
    host = f"new WhaleClient({{ apiKey: '{studio.key}', gatewayUrl: '{studio.url}/whaletools' }})"
    replaced = {
        "Video Generation": {
            "const result = ": "await ended(whale, video.id);\nconst result = ",
            "'gen_vid_a1b2c3d4'": "video.id",
        },
        "Background Removal": {"https://cdn.whaletools.dev": photos},
        "Media Library": {"'med_q7r8s9t0'": "file.id", "'med_u1v2w3x4'": "file.id"},
    }
    last = {"Media Library": "console.log(media.data.length, media.has_more, file.id, file.url);"}
    helpers = f"""
import {{ readFileSync }} from 'node:fs';
const buffer = readFileSync('{PHOTO}');
async function ended(whale, id) {{
  while ((await whale.generate.video.get(id)).status === 'processing') await new Promise((go) => setTimeout(go, 300));
}}
"""
    started = {}
    for heading, checks in REGIONS.items():
        text, counted = program(found[heading], {WHALE: host, **replaced.get(heading, {})}, last.get(heading, ""))
        assert checks == counted
        started[heading] = start(node, tmp_path_factory.mktemp("program"), helpers + CHECKS + text)
    yield started
    for one in started.values():
        one.kill()
        one.wait()


@pytest.mark.timeout(600)
@pytest.mark.contract("A100", "F39")
@pytest.mark.parametrize("heading", REGIONS)
def test_the_statements_of_whaletools(programs: dict[str, subprocess.Popen[str]], heading: str) -> None:
    output = printed(programs[heading])
    if heading == "Media Library":
        assert "med_" in output


def texts_of_whaletools(url: str, key: str) -> str:
    """The document's two statements of text as a program, which prints the second text."""
    found = regions((SAMPLES / "whaletools.txt").read_text(), "const whale = ", HEADINGS)["Text Generation"]
    host = f"new WhaleClient({{ apiKey: '{key}', gatewayUrl: '{url}/whaletools' }})"
    text, checks = program(found, {WHALE: host})
    assert 1 == checks
    return CHECKS + text


@pytest.mark.long  # the demo model writes 13 tokens a second; `test_text.py` runs them with a tiny one
def test_the_statements_of_text(studio: Service, node: Path, tmp_path: Path, unpacked: Callable[[str], Path]) -> None:
    unpacked("demo-smollm2")
    assert run(node, tmp_path, texts_of_whaletools(studio.url, studio.key)).strip()


@pytest.mark.contract("A100", "F39")
def test_the_statement_of_videogen(studio: Service, node: Path, tmp_path: Path) -> None:
    lines = (SAMPLES / "videogen.txt").read_text().splitlines()
    begin = lines.index(next(line for line in lines if line.startswith("3const client")))
    statements = [line[1:] for line in lines[begin : begin + 4]]  # the page shows numbers of lines
    assert "await client.tools.generateImage({" == statements[1]
    text = "\n".join(statements)
    text = text.replace(
        'new VideoGenClient({ token: "YOUR_TOKEN" })',
        f'new VideoGenClient({{ token: "{studio.key}", baseUrl: "{studio.url}/videogen" }})',
    ).replace("await client", "const accepted = await client")
    follow = """
if (typeof accepted.toolExecutionId !== "string") throw new Error("no toolExecutionId");
const info = await client.tools.waitForExecution(accepted.toolExecutionId, { pollMs: 200 });
console.log(info.status, info.results.length, info.progressPercentage);
"""
    assert "succeeded 1 100" == run(node, tmp_path, text + follow).strip()


@pytest.mark.contract("F39")
def test_the_native_client_follows_and_downloads(studio: Service, node: Path, tmp_path: Path) -> None:
    text = f"""
const client = new AtelierClient({{ url: '{studio.url}', apiKey: '{studio.key}' }});
const seen = [];
const size = {{ width: 64, height: 64, labels: {{ shop: 'eu' }} }};
const job = await client.image({{ prompt: 'a red circle on white', output_format: 'png', ...size }},
  {{ onProgress: (event) => seen.push(event.progress) }});
const bytes = await client.download(job.outputs[0]);
if (bytes[1] !== 0x50 || bytes.length !== job.outputs[0].bytes) throw new Error('no PNG');
if (seen.length < 3 || seen.some((one, place) => place && one < seen[place - 1])) throw new Error(String(seen));
const first = await client.submit('image', {{ prompt: 'a star', ...size }}, {{ idempotencyKey: 'ts-1' }});
const again = await client.submit('image', {{ prompt: 'a star', ...size }}, {{ idempotencyKey: 'ts-1' }});
if (first.job_id !== again.job_id) throw new Error('two jobs');
const long = {{ width: 1024, height: 1024, num_images: 4, num_inference_steps: 100 }};
const cancelled = await client.cancel((await client.submit('image', {{ prompt: 'a star', ...long }})).job_id);
if (cancelled.status !== 'cancelled') throw new Error(cancelled.status);
const input = await client.upload(new Blob([bytes], {{ type: 'image/png' }}));
if (!input.startsWith('inp_')) throw new Error(input);
try {{
  await client.submit('image', {{ prompt: 3 }});
}} catch (error) {{
  if (!(error instanceof AtelierError)) throw error;
  console.log(error.status, error.code, error.field);
}}
const found = await client.jobs({{ limit: 2, labels: size.labels }});
console.log((await client.models()).length > 3, found.jobs.length, found.jobs[0].labels.shop);
"""
    assert "422 wrong_type $.prompt\ntrue 2 eu" == run(node, tmp_path, text).strip()


@pytest.mark.contract("F39")
def test_the_native_client_hears_speech_while_it_is_made(studio: Service, node: Path, tmp_path: Path) -> None:
    text = f"""
const client = new AtelierClient({{ url: '{studio.url}', apiKey: '{studio.key}' }});
const spoken = {{ text: 'Good morning. Your order left.', stream: true, output_format: 'pcm' }};
const {{ job_id }} = await client.submit('speech', {{ ...spoken, model: 'demo-espeak' }});
const pieces = [];
for await (const piece of client.listen(job_id)) pieces.push(piece);
const stored = await client.download((await client.wait(job_id)).outputs[0]);
const lost = await client.listen('job_nothing').next().catch((error) => error.code);
console.log(Buffer.concat(pieces).equals(Buffer.from(stored)), stored.length > 24000, lost);
"""
    assert "true true malformed_id" == run(node, tmp_path, text).strip()


@pytest.mark.contract("F39")
def test_the_native_client_keeps_and_finds_media(studio: Service, node: Path, tmp_path: Path) -> None:
    text = f"""
import {{ readFileSync }} from 'node:fs';
const client = new AtelierClient({{ url: '{studio.url}', apiKey: '{studio.key}' }});
const labels = {{ made: 'ts' }};
const facts = {{ filename: 'teacup.jpg', tags: ['ts-one', 'ts-two'], labels, description: 'porcelain' }};
const item = await client.media.upload(new Blob([readFileSync('{PHOTO}')], {{ type: 'image/jpeg' }}), facts);
const same = (page) => page.media.length === 1 && page.media[0].media_id === item.media_id;
const target = {{ product_id: 'ts-product', variant_id: 'ts-variant' }};
const linked = await client.media.link(item.media_id, {{ ...target, position: 3 }});
const open = await client.media.publish(item.media_id);
const seen = [
  item.status === 'ready' && item.filename === 'teacup.jpg',
  same(await client.media.list({{ tags: ['ts-one', 'ts-two'], labels, kind: 'image' }})),
  (await client.media.search('porcelain teacup.jpg')).results[0].media.media_id === item.media_id,
  linked.links[0].position === 3 && same(await client.media.list({{ product_id: 'ts-product' }})),
  (await client.download(open.public_url)).length === item.bytes,
  (await client.media.unpublish(item.media_id)).public_url === null,
  (await client.media.unlink(item.media_id, target)).links.length === 0,
  (await client.media.linkAll({{ product_id: 'ts-set' }}, [{{ media_id: item.media_id }}])).media_ids.length === 1,
  (await client.media.change(item.media_id, {{ tags: [] }})).tags.length === 0,
  (await client.media.archive(item.media_id)).archived_at !== null,
];
await client.media.delete(item.media_id);
const gone = await client.media.get(item.media_id).catch((error) => error.code);
console.log(seen.every(Boolean) ? 'all' : seen.join(' '), gone);
"""
    assert "all unknown_media" == run(node, tmp_path, text).strip()


@pytest.mark.contract("F39")
def test_the_native_client_controls_jobs_chains_and_keys(studio: Service, node: Path, tmp_path: Path) -> None:
    text = f"""
const client = new AtelierClient({{ url: '{studio.url}', apiKey: '{studio.key}' }});
const size = {{ width: 64, height: 64, output_format: 'png' }};
const paused = await client.pauseQueue();
const [first, second] = await client.submitMany([
  {{ modality: 'image', prompt: 'a blue square on white', ...size }},
  {{ modality: 'image', prompt: 'a green star on black', ...size }},
]);
const changed = await client.setPriority(first.job_id, 7);
const waits = (await client.status(second.job_id)).waiting_for.code;
const resumed = await client.resumeQueue();
const made = await client.wait(first.job_id);
const manifest = await client.manifest(first.job_id);
const again = await client.wait((await client.reproduce(first.job_id)).job_id);
const chain = await client.submitChain([
  {{ name: 'picture', modality: 'image', prompt: 'a red ring on white', ...size }},
  {{ name: 'cut', modality: 'remove-background', input_image: 'step:picture' }},
]);
const listed = (await client.chains({{ limit: 1 }})).chains[0];
const ended = async (id) => {{
  for (;;) {{
    const now = await client.chain(id);
    if (!['queued', 'processing'].includes(now.status)) return now.status;
    await new Promise((go) => setTimeout(go, 300));
  }}
}};
const other = await client.submitChain([{{ name: 'one', modality: 'image', prompt: 'a cross', ...size }}]);
const cancelled = await client.cancelChain(other.chain_id);
const shot = {{ prompt: 'zoom in', duration_seconds: 0.5 }};
const story = {{ model: 'demo-camera', width: 192, height: 128, shots: [shot] }};
const film = await client.storyboard(story, {{ timeoutMs: 120000 }});
const lost = {{ ...story, shots: [{{ ...shot, image: '{studio.url}/nothing.png' }}] }};
const made_key = await client.addKey('ts', {{ scopes: ['read'], expires_in_seconds: 3600 }});
const reader = new AtelierClient({{ url: '{studio.url}', apiKey: made_key.key }});
const refused = await reader.submit('image', {{ prompt: 'a circle' }}).catch((error) => error.code);
const known = (await client.keys({{ limit: 100 }})).keys.find((one) => one.key_id === made_key.key_id);
await client.revokeKey(made_key.key_id);
const gone = await reader.me().catch((error) => error.code);
const here = (await client.setLocalOnly(true)).local_only;
const seen = {{
  paused: paused.paused_at !== null && resumed.paused_at === null && waits === 'tenant_paused',
  changed: changed.job_id === first.job_id && made.status === 'completed',
  backend: made.backend.name === 'local' && manifest.backend.reason === 'primary',
  estimate: (await client.estimate('image', {{ prompt: 'a circle', ...size }})).price_usd === 0,
  reproduced: again.outputs[0].sha256 === made.outputs[0].sha256 && manifest.seed === again.seed,
  listed: listed.chain_id === chain.chain_id && chain.steps.length === 2,
  chain: (await ended(chain.chain_id)) === 'completed',
  cancelled: (await ended(cancelled.chain_id)) === 'cancelled',
  film: film.status === 'completed' && film.outputs[0].media_type === 'video/mp4',
  planned: (await client.estimateStoryboard(story)).steps.length === film.steps.length,
  lost: (await client.storyboard(lost).catch((error) => error.code)) === 'input_unreachable',
  keys: refused === 'forbidden' && known.name === 'ts' && gone === 'unauthenticated',
  local: here && !(await client.setLocalOnly(false)).local_only,
}};
await client.wait(second.job_id);
console.log(Object.entries(seen).filter(([, good]) => !good).map(([name]) => name).join(' ') || 'all');
"""
    assert "all" == run(node, tmp_path, text).strip()


@pytest.mark.contract("F39")
def test_webhooks_are_verified(studio: Service, node: Path, tmp_path: Path) -> None:
    body = {"prompt": "a red ring on white", "width": 64, "height": 64}
    secret = webhook_secret(studio.settings.secret_key, studio.tenant, 1)
    with WebhookReceiver() as sink:
        studio.client.post("/generate/image/v1", json={**body, "callback_url": f"{sink.url}/native"})
        studio.client.post("/v1/generate/image", json={"prompt": body["prompt"], "webhook_url": f"{sink.url}/whale"})
        received = until(lambda: sink.received if len(sink.received) > 1 else None, 90, "two webhooks")
        for number, message in enumerate(received):
            (tmp_path / f"{number}.body").write_bytes(message.body)
            headers = "\n".join(f"{name}\t{value}" for name, value in message.headers.items())
            (tmp_path / f"{number}.headers").write_text(headers)
    text = f"""
import {{ readFileSync }} from 'node:fs';
const secret = '{secret}';
const types = [];
for (const number of [0, 1]) {{
  const body = readFileSync(`${{number}}.body`);
  const lines = readFileSync(`${{number}}.headers`, 'utf8').split('\\n');
  const headers = Object.fromEntries(lines.map((one) => one.split('\\t')));
  const whale = Object.keys(headers).some((name) => name.toLowerCase() === 'x-webhook-signature');
  types.push((await verifyWebhook(body, headers, secret)).type);
  if (whale) types.push((await verifyWhaleWebhook(body, headers, secret)).data.object);
  const changed = Buffer.concat([body, Buffer.from(' ')]);
  for (const verify of whale ? [verifyWebhook, verifyWhaleWebhook] : [verifyWebhook]) {{
    let refused = false;
    await verify(changed, headers, secret).catch(() => {{ refused = true; }});
    if (!refused) throw new Error('a changed body passed');
  }}
}}
console.log(types.sort().join(' '));
"""
    assert "image image.completed job.completed" == run(node, tmp_path, text).strip()


@pytest.mark.long
def test_the_committed_build_is_what_tsc_makes(node: Path, tmp_path: Path) -> None:
    try:
        install(node, tmp_path, SDK)
    except RegistryAway as error:
        pytest.skip(str(error))
    (tmp_path / "tsconfig.json").write_bytes((SDK / "tsconfig.json").read_bytes())
    shutil.copytree(SDK / "src", tmp_path / "src")
    tsc = tmp_path / "node_modules" / "typescript" / "bin" / "tsc"
    subprocess.run(
        [str(node), str(tsc), "--preserveSymlinks", "-p", str(tmp_path)], cwd=tmp_path, check=True, timeout=300
    )
    built = {file.name: file.read_text() for file in (tmp_path / "dist").iterdir()}
    assert built == {file.name: file.read_text() for file in (SDK / "dist").iterdir()}


def test_the_sdk_has_no_dependencies_at_run_time() -> None:
    package = json.loads((SDK / "package.json").read_text())
    assert "dependencies" not in package
    assert ["typescript"] == list(package["devDependencies"])
    for file in (SDK / "dist").glob("*.js"):
        for line in file.read_text().splitlines():
            if " from " in line and line.startswith(("import", "export")):
                assert ' from "./' in line, line
