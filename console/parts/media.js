/** What was made, in a viewer of its kind: picture, film, sound, mesh, text; all with keyboard and pointer. */
import { html, useEffect, useRef, useState } from "../html.js";
import { local } from "../api.js";
import { bytes, seconds } from "../format.js";

/** The kind of a media type. */
export function kindOf(mediaType) {
  const [kind] = (mediaType ?? "").split("/");
  if (kind === "model" || /gltf|obj|stl|ply/.test(mediaType ?? "")) return "mesh";
  if (/[/+]json$|subrip$/.test(mediaType ?? "")) return "text";
  return ["image", "video", "audio", "text"].includes(kind) ? kind : "document";
}

const preview = (output, name) => local(output.previews?.find((one) => one.name === name)?.url);

/** A small picture of an output, or its kind as a word. */
export function Thumb({ output, alt = "" }) {
  const kind = kindOf(output.media_type);
  const url = local(output.thumbnail_url) ?? preview(output, "poster") ?? (kind === "image" ? local(output.url) : null);
  return url ? html`<img src=${url} alt=${alt} loading="lazy" decoding="async" class="check" />` : html`<span class="kind">${kind}</span>`;
}

/** The facts of an output in one line. */
export function outputWords(output) {
  const size = output.width ? `${output.width} × ${output.height}` : "";
  return [output.media_type.split("/")[1], size, output.duration_seconds ? seconds(output.duration_seconds) : "", bytes(output.bytes)].filter(Boolean).join(", ");
}

/** The viewer of an output; `original` is the link of the picture that it was made from. */
export function Viewer({ output, title, original = "" }) {
  const [isGone, setGone] = useState(false);
  const kind = kindOf(output.media_type);
  const url = local(output.url);
  if (isGone) return html`<p class="empty">The file is not there: it was deleted, from the library perhaps, or your retention is over. Its facts remain.</p>`;
  const viewer = shown(kind, { output, title, original, url });
  // Errors of what is inside do not rise, but come by on their way down.
  return viewer && html`<div class="viewer" onErrorCapture=${() => setGone(true)}>${viewer}</div>`;
}

function shown(kind, { output, title, original, url }) {
  if (kind === "image") return original ? html`<${Compare} before=${original} after=${url} title=${title} />` : html`<${Picture} url=${url} title=${title} />`;
  if (kind === "video") return html`<${Film} output=${output} title=${title} />`;
  if (kind === "audio") return html`<${Sound} output=${output} title=${title} />`;
  if (kind === "mesh") return html`<${Mesh} output=${output} title=${title} />`;
  if (kind === "text") return html`<${Text} output=${output} title=${title} />`;
  return html`<p class="empty">A ${output.media_type} of ${bytes(output.bytes)}: download it to open it.</p>`;
}

function Picture({ url, title }) {
  const [isWhole, setWhole] = useState(true);
  return html`<figure class="plate">
    <div class=${`view ${isWhole ? "" : "actual"}`} tabindex=${isWhole ? undefined : 0} role=${isWhole ? undefined : "region"} aria-label=${isWhole ? undefined : "Picture in its own size"}>
      <img src=${url} alt=${title} class="check" />
    </div>
    <button class="btn sm zoom" aria-pressed=${!isWhole} onClick=${() => setWhole(!isWhole)}>1:1</button>
  </figure>`;
}

/** Two pictures over each other, and how much of the first is shown. */
export function Compare({ before, after, title }) {
  const [share, setShare] = useState(50);
  return html`<figure class="plate">
    <div class="compare">
      <img src=${after} alt=${title} class="check" />
      <img src=${before} alt="What it was made from" style=${{ clipPath: `inset(0 ${100 - share}% 0 0)` }} />
      <span class="edge" style=${{ left: `${share}%` }}></span>
    </div>
    <label class="tiny">Before and after
      <input type="range" min="0" max="100" value=${share} onInput=${(event) => setShare(Number(event.target.value))} /></label>
  </figure>`;
}

/** A frame of films that say nothing else. */
const FRAME = 1 / 24;

function Film({ output, title }) {
  const film = useRef(null);
  const move = (event) => {
    const step = { ",": -FRAME, ".": FRAME }[event.key];
    if (step === undefined) return;
    film.current.pause();
    film.current.currentTime += step;
  };
  const strip = preview(output, "strip");
  return html`<figure class="plate" onKeyDown=${move}>
    <video ref=${film} src=${local(output.url)} poster=${preview(output, "poster")} controls loop playsinline preload="metadata" aria-label=${title}></video>
    ${strip && html`<img class="film-strip" src=${strip} alt="Ten frames of the film" />`}
    <figcaption class="tiny quiet">Keys <kbd>,</kbd> and <kbd>.</kbd> go one frame back and forth.</figcaption>
  </figure>`;
}

function Sound({ output, title }) {
  const sound = useRef(null);
  const canvas = useRef(null);
  const [peaks, setPeaks] = useState(null);
  const [place, setPlace] = useState(0);
  const url = preview(output, "peaks");
  useEffect(() => {
    if (!url) return;
    fetch(url).then(async (answer) => answer.ok && setPeaks(new Int8Array(await answer.arrayBuffer())), () => {});
  }, [url]);
  useEffect(() => {
    if (!peaks || !canvas.current) return;
    const { width, height } = canvas.current;
    const context = canvas.current.getContext("2d");
    context.fillStyle = getComputedStyle(canvas.current).color;
    const pairs = peaks.length / 2;
    context.clearRect(0, 0, width, height);
    for (let pair = 0; pair < pairs; pair += 1) {
      context.globalAlpha = pair / pairs < place ? 1 : 0.45;
      const low = peaks[2 * pair] / 127;
      const high = peaks[2 * pair + 1] / 127;
      context.fillRect((pair * width) / pairs, ((1 - high) * height) / 2, Math.max(1, width / pairs - 0.5), Math.max(1, ((high - low) * height) / 2));
    }
  }, [peaks, place]);
  const follow = () => setPlace(sound.current.duration ? sound.current.currentTime / sound.current.duration : 0);
  const seek = (event) => {
    if (sound.current.duration) sound.current.currentTime = (event.offsetX / event.target.clientWidth) * sound.current.duration;
  };
  return html`<figure class="plate">
    ${peaks && html`<canvas ref=${canvas} class="wave" width="1600" height="160" onClick=${seek} aria-hidden="true"></canvas>`}
    <audio ref=${sound} src=${local(output.url)} controls preload="metadata" aria-label=${title} onTimeUpdate=${follow} onSeeked=${follow}></audio>
  </figure>`;
}

/** A mesh in a frame of its own origin: its viewer may do what no page of the console may. */
function Mesh({ output, title }) {
  const frame = useRef(null);
  const [state, setState] = useState("Loading the mesh…");
  useEffect(() => {
    const listen = async (event) => {
      if (event.source !== frame.current?.contentWindow) return;
      if (event.data === "ready") {
        try {
          const answer = await fetch(local(output.url));
          const content = await answer.arrayBuffer();
          frame.current.contentWindow.postMessage({ content, title }, "*", [content]);
        } catch {
          setState("The object store does not let this page read the file (CORS); download it instead.");
        }
      } else if (event.data === "shown") {
        setState("");
      } else if (event.data === "failed") {
        setState("This mesh could not be shown; download it instead.");
      }
    };
    addEventListener("message", listen);
    return () => removeEventListener("message", listen);
  }, [output.url]);
  const page = new URL("../frame/mesh.html", import.meta.url).pathname;
  const isGlb = /gltf/.test(output.media_type);
  if (!isGlb) return html`<p class="empty">A mesh as ${output.media_type}: download it to open it. GLB is shown here.</p>`;
  return html`<figure class="plate">
    <iframe ref=${frame} class="mesh" sandbox="allow-scripts" src=${page} title=${`Mesh: ${title}`} data-state=${state ? "loading" : "shown"}></iframe>
    ${state && html`<figcaption class="quiet" role="status">${state}</figcaption>`}
  </figure>`;
}

/** The most of a text that a page shows, in bytes: the longest that a model writes has a tenth of it. */
const LONGEST_TEXT = 1_000_000;

/** Files whose words the answer of a job has; others have more than these: times, numbers. */
const PLAIN = ["text/plain", "text/markdown"];

/** A text as it is, Markdown as it was written, subtitles and JSON; what no answer has is in the store. */
function Text({ output, title }) {
  const [text, setText] = useState(PLAIN.includes(output.media_type) ? (output.text ?? null) : null);
  const [state, setState] = useState("Loading the text…");
  const isLong = output.bytes > LONGEST_TEXT;
  useEffect(() => {
    if (text !== null || isLong) return;
    const read = async (answer) => (answer.ok ? setText(await answer.text()) : setState("The text could not be read; download it instead."));
    fetch(local(output.url)).then(read).catch(() => setState("The object store does not let this page read the file (CORS); download it instead."));
  }, [output.url]);
  if (isLong) return html`<p class="empty">A text of ${bytes(output.bytes)}: download it to read it.</p>`;
  if (text === null) return html`<p class="empty" role="status">${state}</p>`;
  return html`<div class="words" tabindex="0" role="region" aria-label=${title} dir="auto">${text}</div>`;
}

const ENDINGS = { jpeg: "jpg", mpeg: "mp3", "x-subrip": "srt", "gltf-binary": "glb", plain: "txt", markdown: "md", "svg+xml": "svg" };

const endingOf = (mediaType) => ENDINGS[mediaType.split("/")[1]] ?? mediaType.split("/")[1];

export const fileName = (output, job) => output.name ?? `${job.job_id}.${endingOf(output.media_type)}`;
