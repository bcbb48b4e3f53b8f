/** A job: what it made, its way through the service, why it waits, what it was asked for and made with, and who was told. */
import { html, useEffect, useState } from "../html.js";
import { get, idempotencyKey, post, root, useApi } from "../api.js";
import { navigate, to } from "../router.js";
import { JobState, Loading, Note, ProblemNote, State, isOver } from "../parts/state.js";
import { Icon } from "../parts/icons.js";
import { Snippet } from "../parts/snippet.js";
import { attempt } from "../parts/dialog.js";
import { useJob } from "../parts/follow.js";
import { ago, backendWords, between, bytes, dollars, moment, seconds, words } from "../format.js";
import { useModalities } from "../parts/document.js";
import { useOriginal } from "../parts/original.js";
import { bodyOf, fieldsOf, valuesOf } from "../make/fields.js";
import { snippets } from "../make/snippet.js";
import { Outputs, StepPreview, remove, reproduce, stageWords } from "../make/stage.js";

export default function JobPage({ id, me }) {
  const { job, preview, error, reload } = useJob(id);
  const heard = useHeard(job);
  if (error && !job) {
    const isGone = error.status === 404;
    return html`<div class="head"><h1>Job</h1></div>${isGone
      ? html`<div class="empty"><h2>There is no such job</h2><p>It was deleted, or is another tenant's. <a href=${to("/jobs")}>All your jobs</a></p></div>`
      : html`<${ProblemNote} error=${error} retry=${reload} />`}`;
  }
  if (!job?.created_at) return html`<div class="head"><h1>Job</h1></div><${Loading} />`;
  return html`<div class="head">
      <h1>${words(job.modality)}</h1><span class="mono soft">${job.job_id}</span><${JobState} job=${job} />
      <div class="acts"><${Acts} job=${job} me=${me} /></div>
    </div>
    <${ProblemNote} error=${error} retry=${reload} />
    <div class="cols">
      <div class="side one">
        <${Outcome} job=${job} preview=${preview} />
        <${Timeline} job=${job} heard=${heard} />
      </div>
      <div class="side one">
        <${Facts} job=${job} />
        <${Request} key=${`request-${id}`} job=${job} />
        ${job.status === "completed" && html`<${Manifest} key=${`manifest-${id}`} id=${id} />`}
        ${me.granted.includes("webhooks:read") && html`<${Deliveries} key=${`deliveries-${id}`} id=${id} isOver=${isOver(job)} />`}
        <details><summary>Status as JSON</summary><pre class="raw" tabindex="0">${JSON.stringify(job, null, 2)}</pre></details>
      </div>
    </div>`;
}

/** What this page has heard of the job since it was opened: its states and stages, each with its time. */
function useHeard(job) {
  const [heard, setHeard] = useState([]);
  const now = job && `${job.attempt ?? 0} ${job.status} ${job.status === "processing" ? job.stage : (job.waiting_for?.code ?? "")}`;
  useEffect(() => {
    if (now) setHeard((known) => [...known, { at: Date.now(), attempt: job.attempt, status: job.status, stage: job.stage, reason: job.waiting_for?.message }].slice(-100));
  }, [now]);
  return heard;
}

function Acts({ job, me }) {
  if (!me.granted.includes("jobs:write")) return null;
  if (!isOver(job)) return html`<button class="btn" onClick=${() => attempt(() => post(`/jobs/v1/${job.job_id}/cancel`), "Cancelled")}>Cancel</button>`;
  return html`<a class="btn" href=${to(`/make/${job.modality}?from=${job.job_id}`)}><${Icon} name="make" />Open in Make</a>
    <button class="btn" onClick=${() => again(job)}><${Icon} name="again" />${job.status === "failed" ? "Run again" : "Again"}</button>
    ${job.status === "completed" && html`<button class="btn" onClick=${() => reproduce(job)}><${Icon} name="copy" />Reproduce</button>`}
    <button class="btn" onClick=${async () => (await remove(job)) && navigate("/jobs")}><${Icon} name="trash" />Delete</button>`;
}

/**
 * Do this job once more: a failed one as the new job that it is tied to, with its seed; else the same request, with a new
 * seed unless it named one.
 */
async function again(job) {
  await attempt(async () => {
    if (job.status === "failed") {
      navigate(`/jobs/${(await post(`/jobs/v1/${job.job_id}/redrive`)).job_id}`);
      return;
    }
    const request = await get(`/jobs/v1/${job.job_id}/request`);
    if (request.params === null) throw new Error("The request of this job was removed, as its retention says.");
    const made = await post(`/generate/${job.modality}/v1`, { ...request.params, model: request.model }, { "idempotency-key": idempotencyKey() });
    navigate(`/jobs/${made.job_id}`);
  });
}

function Outcome({ job, preview }) {
  const original = useOriginal(job);
  if (job.error) return html`<${Note} kind="bad" title=${words(job.error.code)} action=${html`<a class="btn sm" href=${`${root}/problems`}>Codes</a>`}>${job.error.message}<//>`;
  if (!isOver(job)) {
    const isRunning = job.status === "processing";
    return html`<section class="running"><${JobState} job=${job} /><${StepPreview} job=${job} preview=${preview} /><progress max="1" value=${isRunning ? job.progress : 0} aria-label="Progress"></progress>
      <p class="soft">${isRunning ? stageWords(job.stage) : (job.waiting_for?.message ?? "It is in the queue.")}${job.estimated_seconds ? `, about ${seconds(job.estimated_seconds)} left` : ""}</p></section>`;
  }
  if (job.outputs_removed_at) return html`<${Note} kind="off" title="Removed">Its files were removed on ${moment(job.outputs_removed_at)}, as your retention says.<//>`;
  if (!job.outputs.length) return html`<${Note} kind="off" title="No files">This job has made nothing.<//>`;
  return html`<${Outputs} key=${job.job_id} job=${job} original=${original} />`;
}

/** Names of the phases of an attempt, as the manifest's timings have them, in their order. */
const PHASES = ["stage", "load", "compute", "encode", "upload"];
const INKS = ["d", "b", "a", "c", "e", "f"];

function Timeline({ job, heard }) {
  const manifest = useApi(job.status === "completed" ? `/jobs/v1/${job.job_id}/manifest` : null);
  const waited = job.started_at ? between(job.created_at, job.started_at) : between(job.created_at, job.finished_at ?? Date.now());
  const timings = manifest.data?.timings ?? {};
  const names = [...PHASES.filter((name) => name in timings), ...Object.keys(timings).filter((name) => !PHASES.includes(name))];
  const parts = [["queued", waited], ...names.map((name) => [name, timings[name]])].filter(([, length]) => length > 0);
  const whole = parts.reduce((sum, [, length]) => sum + length, 0) || 1;
  return html`<section><div class="sec"><h2>Timeline</h2></div>
    <div class="steps" aria-hidden="true">${parts.map(([name, length], place) => html`<i key=${name} class=${`k-${INKS[place % INKS.length]}`} style=${{ width: `${(100 * length) / whole}%` }}></i>`)}</div>
    <ul class="key">${parts.map(([name, length], place) => html`<li key=${name} class=${`k-${INKS[place % INKS.length]}`}>${words(name).toLowerCase()} <b class="num">${seconds(length)}</b></li>`)}</ul>
    <ol class="events">
      <${Moment} at=${job.created_at}>Submitted<//>
      ${job.started_at && html`<${Moment} at=${job.started_at}>Started on <span class="mono">${job.server_id}</span>${job.attempt > 1 ? `, attempt ${job.attempt}` : ""}<//>`}
      ${heard.filter((one) => !isOver(one)).map((one) => html`<${Moment} key=${one.at} at=${one.at}>${one.status === "processing" ? stageWords(one.stage) : (one.reason ?? "Waits in the queue")}<//>`)}
      ${job.finished_at && html`<${Moment} at=${job.finished_at}>${{ completed: "Completed", failed: "Failed", cancelled: "Cancelled" }[job.status]}<//>`}
    </ol>
    ${!isOver(job) && job.status !== "processing" && job.waiting_for && html`<${Note} kind="wait" title="Why it waits">${job.waiting_for.message} <code>${job.waiting_for.code}</code><//>`}
  </section>`;
}

function Moment({ at, children }) {
  return html`<li><time class="num quiet" datetime=${new Date(at).toISOString()} title=${moment(at)}>${ago(at)}</time><span>${children}</span></li>`;
}

function Facts({ job }) {
  const facts = [
    ["Model", html`<span class="mono">${job.model}</span>`],
    ["Server", job.server_id && html`<span class="mono">${job.server_id}</span>`],
    ["Seed", job.seed !== null && html`<span class="num">${job.seed}</span>`],
    ["Submitted", html`<time datetime=${job.created_at}>${moment(job.created_at)}</time>`],
    ["Took", job.processing_time_seconds !== null && html`<span class="num">${seconds(job.processing_time_seconds)}</span>`],
    ["On the device", job.gpu_seconds > 0 && html`<span class="num">${seconds(job.gpu_seconds)}</span>`],
    ["Cost", html`<span class="num">${dollars(job.cost_usd ?? 0)}</span>`],
    ["Labels", Object.entries(job.labels ?? {}).map(([key, value]) => html`<a key=${key} class="tag" href=${to(`/jobs?q=${encodeURIComponent(`label:${key}:${value}`)}`)}>${key}: ${value}</a> `)],
    ["Made again from", job.redrive_of && html`<a class="mono" href=${to(`/jobs/${job.redrive_of}`)}>${job.redrive_of}</a>`],
    ["Made again as", job.redriven_as && html`<a class="mono" href=${to(`/jobs/${job.redriven_as}`)}>${job.redriven_as}</a>`],
  ];
  return html`<section><div class="sec"><h2>Facts</h2></div>
    <dl class="facts">${facts.filter(([, value]) => value && value.length !== 0).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    ${job.warnings.map((one) => html`<${Note} key=${one} title="Note">${one}<//>`)}
  </section>`;
}

function Request({ job }) {
  const { data, error } = useApi(`/jobs/v1/${job.job_id}/request`);
  const modality = useModalities().modalities?.find((one) => one.name === job.modality);
  if (error) return html`<${ProblemNote} error=${error} />`;
  if (!data) return null;
  if (data.params === null) return html`<section><div class="sec"><h2>Request</h2></div><p class="quiet">It was removed, as your retention says.</p></section>`;
  const fields = modality ? fieldsOf(modality, null) : [];
  const body = { ...bodyOf(valuesOf({ ...data.params, model: data.model }, fields), fields), ...(job.seed !== null && "seed" in data.params ? { seed: job.seed } : {}) };
  return html`<section><div class="sec"><h2>Request</h2></div>
    ${(data.params.prompt ?? data.params.text) && html`<p class="prompt" dir="auto">${data.params.prompt ?? data.params.text}</p>`}
    ${modality && html`<${Snippet} texts=${snippets(modality, body)} />`}
  </section>`;
}

function Manifest({ id }) {
  const { data, error } = useApi(`/jobs/v1/${id}/manifest`);
  if (error) return html`<section><div class="sec"><h2>Manifest</h2></div><p class="quiet">${error.message}</p></section>`;
  if (!data) return null;
  return html`<section><div class="sec"><h2>Manifest</h2></div>
    <dl class="facts">
      <dt>Device</dt><dd>${data.device ?? "not noted"}${data.backend ? `, ${backendWords(data.backend)}` : ""}</dd>
      <dt>Weights</dt><dd>${data.weights.map((one) => html`<span key=${one.bundle} class="mono">${one.bundle}${one.revision ? ` ${one.revision.slice(0, 8)}` : ""} </span>`)}${data.weights.length ? "" : "none"}</dd>
      <dt>Files</dt><dd>${data.outputs.map((one) => html`<span key=${one.sha256}>${one.media_type}, ${bytes(one.bytes)}, <span class="mono">${one.sha256.slice(0, 16)}…</span> </span>`)}</dd>
      ${data.reproduces && html`<dt>Reproduces</dt><dd><a class="mono" href=${to(`/jobs/${data.reproduces.job_id}`)}>${data.reproduces.job_id}</a>: ${data.reproduces.identical === null ? "not compared" : data.reproduces.identical ? "the same, byte by byte" : "not the same"}</dd>`}
    </dl>
    <details><summary>Whole manifest</summary><pre class="raw" tabindex="0">${JSON.stringify(data, null, 2)}</pre></details>
  </section>`;
}

const DELIVERY = { pending: "wait", delivered: "ok", failed: "bad", superseded: "off" };

function Deliveries({ id, isOver: isDone }) {
  const { data, reload } = useApi(`/webhooks/v1/deliveries?job_id=${id}`, isDone ? 10 : 0);
  useEffect(() => reload(), [isDone]);
  if (!data?.deliveries.length) return null;
  return html`<section><div class="sec"><h2>Webhook deliveries</h2></div>
    <ul class="events">${data.deliveries.map((one) => html`<li key=${one.delivery_id}><${State} kind=${DELIVERY[one.state]}>${one.state}<//><span><code>${one.type}</code> to <span class="mono">${one.url}</span><br />
      <span class="quiet">${one.attempts.length ? one.attempts.map((each) => each.status ?? each.problem).join(", ") : "not tried yet"}${one.next_attempt_at ? `, next ${ago(one.next_attempt_at)}` : ""}</span></span></li>`)}</ul>
  </section>`;
}
