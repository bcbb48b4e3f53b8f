// The calls of OpenAI's client, with our URL and a key: `node calls.mjs NAME URL KEY [PICTURE]` makes those of one name.
// Files stay in the working directory, and what was answered is printed as JSON.
import { createReadStream, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import OpenAI, { toFile } from "openai";

const [name, baseURL, apiKey, picture] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey });
const prompt = "a red circle on a blue background";
const sized = { prompt, model: "gpt-image-1", size: "128x128", quality: "low" };
const filmed = { prompt: "a green star on black", model: "sora-2", size: "128x96", seconds: "0.5" };
const spoken = { input: "Good morning.", model: "tts-1", voice: "alloy" };
const endpoint = "/v1/images/generations";

const save = async (file, answer) => writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
const saveText = (file, base64) => writeFileSync(file, Buffer.from(base64, "base64"));

async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one.id);
  return found;
}

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    return [error.constructor.name, error.status, error.code, error.param];
  }
  throw new Error(`not refused: ${call}`);
}

async function ended(look, going) {
  for (;;) {
    const seen = await look();
    if (!going.includes(seen.status)) return seen;
    await setTimeout(100);
  }
}

const film = (id) => ended(() => client.videos.retrieve(id), ["queued", "in_progress"]);
const batch = (id) => ended(() => client.batches.retrieve(id), ["validating", "in_progress", "finalizing", "cancelling"]);

async function lines(count) {
  const texts = Array.from({ length: count }, (_, custom_id) => JSON.stringify({
    custom_id: `${custom_id}`, method: "POST", url: endpoint, body: { ...sized, size: "64x64" },
  }));
  return client.files.create({ file: await toFile(Buffer.from(texts.join("\n")), "lines.jsonl"), purpose: "batch" });
}

const startBatch = (file) => (
  client.batches.create({ input_file_id: file.id, endpoint, completion_window: "24h" })
);

const calls = {
  async images() {
    const { data: two, response } = await client.images.generate({ ...sized, n: 2 }).withResponse();
    two.data.forEach((image, place) => saveText(`${place}.png`, image.b64_json));
    const linked = await client.images.generate({ ...sized, model: "dall-e-3", output_format: "webp" });
    await save("linked.webp", await fetch(linked.data[0].url));
    const events = [];
    for await (const event of await client.images.generate({ ...sized, stream: true })) events.push(event);
    saveText("streamed.png", events.at(-1).b64_json);
    return {
      count: two.data.length, usage: two.usage.total_tokens, model: response.headers.get("x-atelier-model"),
      id: response.headers.get("x-request-id") === two._request_id, last: events.at(-1).type,
      refused: await refusal(() => client.images.generate({ ...sized, n: 11 })),
      unknown: await refusal(() => client.images.generate({ ...sized, model: "gpt-image-9" })),
      stranger: await refusal(() => new OpenAI({ baseURL, apiKey: "sk-none" }).models.list()),
    };
  },

  async pictures() {
    const made = { ...sized, size: "64x64", quality: undefined, model: "flux2klein", seed: 1 };
    const image = [createReadStream(picture), createReadStream(picture)];
    const edited = await client.images.edit({ ...made, image });
    saveText("edited.png", edited.data[0].b64_json);
    const { prompt: _, quality: __, ...varied } = made;
    const variation = await client.images.createVariation({
      ...varied, image: createReadStream(picture), response_format: "b64_json",
    });
    saveText("variation.png", variation.data[0].b64_json);
    const events = [];
    for await (const event of await client.images.edit({ ...made, image: createReadStream(picture), stream: true })) {
      events.push(event);
    }
    saveText("streamed.png", events.at(-1).b64_json);
    return { last: events.at(-1).type };
  },

  async speech() {
    for (const response_format of ["mp3", "opus", "aac", "flac", "wav", "pcm"]) {
      await save(`speech.${response_format}`, await client.audio.speech.create({ ...spoken, response_format }));
    }
    const pieces = await client.audio.speech.create({ ...spoken, response_format: "wav", stream_format: "sse" });
    writeFileSync("events.txt", await pieces.text());
    const voice = await client.audio.voices.create({
      name: "Anna", audio_sample: createReadStream("speech.wav"), consent: "mine", type: "audio_sample",
    });
    return {
      voice, deleted: (await client.audio.voices.delete(voice.id)).deleted,
      again: await refusal(() => client.audio.voices.delete(voice.id)),
      heard: (await client.audio.transcriptions.create({ file: createReadStream("speech.wav"), model: "whisper-1" })).text,
    };
  },

  async videos() {
    const created = await client.videos.create(filmed);
    const animated = await client.videos.create({ ...filmed, input_reference: createReadStream(picture) });
    const image_url = `data:image/jpeg;base64,${readFileSync(picture, "base64")}`;
    const linked = await client.videos.create({ ...filmed, input_reference: { image_url } });
    const video = await film(created.id);
    for (const variant of ["video", "thumbnail", "spritesheet"]) {
      await save(variant, await client.videos.downloadContent(video.id, { variant }));
    }
    for (const [file, { id }] of Object.entries({ animated, linked })) {
      await film(id);
      await save(file, await client.videos.downloadContent(id));
    }
    const listed = await all(client.videos.list({ limit: 1 }));
    const { deleted } = await client.videos.delete(video.id);
    return {
      created, video, deleted, listed: [created, animated, linked].every(({ id }) => listed.includes(id)),
      gone: await refusal(() => client.videos.retrieve(video.id)),
      named: await refusal(() => client.videos.create({ ...filmed, input_reference: { file_id: "file-1" } })),
      remixed: await refusal(() => client.videos.remix(animated.id, { prompt })),
    };
  },

  async models() {
    const messages = [{ role: "user", content: "Hello" }];
    return {
      models: await all(client.models.list()),
      alias: (await client.models.retrieve("gpt-image-1")).id,
      unknown: await refusal(() => client.models.retrieve("gpt-9")),
      kept: await refusal(() => client.models.delete("demo-shapes")),
      chat: await refusal(() => client.chat.completions.create({ model: "gpt-9", messages })),
      streamed: await refusal(() => client.chat.completions.create({ model: "gpt-9", messages, stream: true })),
      response: await refusal(() => client.responses.create({ model: "gpt-9", input: "Hello" })),
    };
  },

  async chat() {
    const asked = { model: "gpt-4o-mini", messages: [{ role: "user", content: "hello" }], max_tokens: 40, seed: 7 };
    const { data: whole, response } = await client.chat.completions.create(asked).withResponse();
    const parts = [];
    const stream = await client.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } });
    for await (const chunk of stream) parts.push(chunk);
    return {
      whole, model: response.headers.get("x-atelier-model"), usage: parts.at(-1).usage,
      text: parts.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""),
      tools: await refusal(() => client.chat.completions.create({ ...asked, tools: [{ type: "function", function: { name: "a" } }] })),
    };
  },

  async batches() {
    const file = await lines(3);
    const done = await batch((await startBatch(file)).id);
    const answers = (await (await client.files.content(done.output_file_id)).text()).trim().split("\n").map(JSON.parse);
    saveText("line.png", answers[2].response.body.data[0].b64_json);
    const [second, third] = [await lines(2), await lines(2)];
    const pages = await all(client.files.list({ limit: 1, purpose: "batch" }));
    const stopped = await startBatch(third);
    await client.batches.cancel(stopped.id);
    return {
      done, same: (await client.files.retrieve(file.id)).filename,
      ids: answers.map((answer) => answer.custom_id),
      pages: [file, second, third].every((one) => pages.includes(one.id)),
      stopped: (await batch(stopped.id)).status,
      batches: (await all(client.batches.list({ limit: 1 }))).includes(done.id),
      deleted: (await client.files.delete(file.id)).deleted, gone: await refusal(() => client.files.retrieve(file.id)),
    };
  },

  async repeated() {
    return { id: (await client.videos.create(filmed)).id };
  },

  async restarted() {
    const [created, started] = [await client.videos.create(filmed), await startBatch(await lines(2))];
    console.log("created");
    for await (const _ of createInterface({ input: process.stdin })) break;
    const [video, done] = [await film(created.id), await batch(started.id)];
    await save("film", await client.videos.downloadContent(video.id));
    await save("lines", await client.files.content(done.output_file_id));
    return { status: [video.status, done.status], counts: done.request_counts };
  },
};

console.log(JSON.stringify(await calls[name]()));
process.exit();
