/** A job on the stage: how far it is while it runs, and then what it made, with what can be done with it. */
import { html, useEffect, useState } from "../html.js";
import { call, get, idempotencyKey, local, post } from "../api.js";
import { navigate, setQuery, to } from "../router.js";
import { JobState, Note, isOver } from "../parts/state.js";
import { Icon } from "../parts/icons.js";
import { Thumb, Viewer, fileName, kindOf, outputWords } from "../parts/media.js";
import { attempt, confirm } from "../parts/dialog.js";
import { useModalities } from "../parts/document.js";
import { moment, seconds, words } from "../format.js";
import { usesOf } from "./fields.js";
import { forgetJob, noteJob } from "./session.js";

/** The words of a stage, as a job reports it. */
export const stageWords = (stage) => ({ load: "Loads the model", step: "Computes", encode: "Encodes", upload: "Stores the result" })[stage] ?? (stage ? words(stage) : "Begins");

export function Stage({ job, preview, original, again, me }) {
  if (!isOver(job)) return html`<${Running} ...${{ job, preview, me }} />`;
  if (job.status === "failed") {
    return html`<${Note} kind="bad" title=${words(job.error?.code ?? "failed")} action=${html`<button class="btn sm" onClick=${again}>Again</button>`}>${job.error?.message}<//>`;
  }
  if (job.status === "cancelled") return html`<${Note} kind="off" title="Cancelled" action=${html`<button class="btn sm" onClick=${again}>Again</button>`}>This job was cancelled.<//>`;
  if (!job.outputs?.length) {
    const when = job.outputs_removed_at ? ` on ${moment(job.outputs_removed_at)}` : "";
    return html`<${Note} kind="off" title="Removed">The files of this job were removed${when}; its facts remain.<//>`;
  }
  return html`<${Outputs} key=${job.job_id} ...${{ job, original }}>
    ${me.granted.includes("jobs:write") && html`<button class="btn" onClick=${again}><${Icon} name="again" />Again</button>
      <button class="btn" onClick=${() => reproduce(job)}><${Icon} name="copy" />Reproduce</button>
      <button class="btn" onClick=${() => remove(job)}><${Icon} name="trash" />Delete</button>`}
  <//>`;
}

/** What a job made, each output in its viewer, to be downloaded and used; `children` are what else can be done with it. */
export function Outputs({ job, original = "", children }) {
  const [place, setPlace] = useState(0);
  const { modalities } = useModalities();
  const output = job.outputs[place];
  return html`<section class="result">
    <${Viewer} key=${output.url} output=${output} original=${original} title=${output.name ?? `${job.modality} by ${job.model}`} />
    ${job.outputs.length > 1 && html`<div class="contact"><ol>${job.outputs.map((one, number) => html`<li key=${one.url}><button class="thumb" aria-current=${number === place ? "true" : undefined} aria-label=${`Output ${number + 1}: ${kindOf(one.media_type)}`} onClick=${() => setPlace(number)}><${Thumb} output=${one} /></button></li>`)}</ol></div>`}
    <p class="quiet tiny facts-line">${outputWords(output)}</p>
    ${output.revised_prompt && html`<p class="soft" dir="auto">Made of: ${output.revised_prompt}</p>`}
    <div class="acts"><a class="btn" href=${local(output.url)} download=${fileName(output, job)}><${Icon} name="down" />Download</a><${UseAs} ...${{ job, output, place, modalities: modalities ?? [] }} />${children}</div>
  </section>`;
}

/** How what is being made looks by now; nothing until a step was shown. */
export function StepPreview({ job, preview }) {
  if (!preview || job.status !== "processing") return null;
  if (preview.text) return html`<div class="words" dir="auto">${preview.text}</div>`;
  return preview.image && html`<img class="step" src=${preview.image} alt=${`Preview after step ${preview.step} of ${preview.of}`} />`;
}

function Running({ job, preview, me }) {
  const cancel = () => attempt(() => post(`/jobs/v1/${job.job_id}/cancel`), "Cancelled");
  const isRunning = job.status === "processing";
  return html`<div class="running">
    <${JobState} job=${job} />
    <${StepPreview} job=${job} preview=${preview} />
    <progress max="1" value=${isRunning ? job.progress : 0} aria-label="Progress"></progress>
    <p class="soft">${isRunning ? `${stageWords(job.stage)}${job.estimated_seconds ? `, about ${seconds(job.estimated_seconds)} left` : ""}` : (job.waiting_for?.message ?? "It is in the queue.")}</p>
    ${me.granted.includes("jobs:write") && html`<button class="btn" onClick=${cancel}>Cancel</button>`}
  </div>`;
}

/** Make the same job again: same seed, same weights. */
export async function reproduce(job) {
  await attempt(async () => {
    const made = await post(`/jobs/v1/${job.job_id}/reproduce`, undefined, { "idempotency-key": idempotencyKey() });
    noteJob(made.job_id);
    navigate(`/make/${job.modality}?job=${made.job_id}`);
  });
}

/** Delete a job and its files, after asking; true when it is gone. */
export async function remove(job) {
  const isSure = await confirm({ title: "Delete this job?", text: "Its files, its request and its place in the library are removed for good.", act: "Delete" });
  if (!isSure || !(await attempt(() => call("DELETE", `/jobs/v1/${job.job_id}`), "Deleted"))) return false;
  forgetJob(job.job_id);
  if (location.pathname.includes("/make")) setQuery({ job: null });
  return true;
}

/** Where a result can go on: a field of another form takes it, without its bytes being moved. */
function UseAs({ job, output, place, modalities }) {
  const uses = usesOf(modalities, kindOf(output.media_type));
  if (!uses.length) return null;
  const open = (event) => {
    if (event.target.value) navigate(`/make/${event.target.value}=output:${job.job_id}/${place}`);
  };
  return html`<label class="inline"><span class="sr">Use as</span><select class="in" value="" onChange=${open}>
    <option value="">Use as…</option>
    ${uses.map(({ modality, field }) => html`<option key=${modality.name + field.name} value=${`${modality.name}?${field.name}`}>${modality.title}: ${field.label.toLowerCase()}</option>`)}
  </select></label>`;
}

export function JobFacts({ job }) {
  const [request, setRequest] = useState(null);
  useEffect(() => setRequest(null), [job.job_id]);
  const show = (event) => event.target.open && !request && get(`/jobs/v1/${job.job_id}/request`).then(setRequest, () => {});
  return html`<section>
    <div class="sec"><h2>Job</h2><${JobState} job=${job} /></div>
    <dl class="facts">
      <dt>Job</dt><dd><a class="mono" href=${to(`/jobs/${job.job_id}`)}>${job.job_id}</a></dd>
      <dt>Model</dt><dd class="mono">${job.model}</dd>
      ${job.server_id && html`<dt>Server</dt><dd class="mono">${job.server_id}${job.attempt > 1 ? `, attempt ${job.attempt}` : ""}</dd>`}
      ${job.seed !== null && job.seed !== undefined && html`<dt>Seed</dt><dd class="num">${job.seed}</dd>`}
      ${job.processing_time_seconds !== null && job.processing_time_seconds !== undefined && html`<dt>Took</dt><dd class="num">${seconds(job.processing_time_seconds)}</dd>`}
    </dl>
    ${job.warnings?.map((one) => html`<${Note} key=${one} title="Note">${one}<//>`)}
    <details onToggle=${show}><summary>Request</summary><pre class="raw" tabindex="0">${request ? JSON.stringify(request.params ?? "The request was removed, as its retention says.", null, 2) : "…"}</pre></details>
  </section>`;
}
