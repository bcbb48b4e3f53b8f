/** Make: a form of any modality, what it will take, the job as it runs, and what came of it. */
import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { get, idempotencyKey, post, useApi } from "../api.js";
import { setQuery, to } from "../router.js";
import { Loading, Note, ProblemNote, Empty } from "../parts/state.js";
import { toast } from "../parts/dialog.js";
import { Snippet } from "../parts/snippet.js";
import { useJob } from "../parts/follow.js";
import { bytes } from "../format.js";
import { useModalities } from "../parts/document.js";
import { noteOriginal, useOriginal } from "../parts/original.js";
import { bodyOf, changed, defaultModel, fieldsOf, firstValues, isUploading as isOnItsWay, isWhole, valuesOf } from "../make/fields.js";
import { FormField } from "../make/rows.js";
import { stepsField } from "../make/steps.js";
import { fieldId } from "../make/widgets.js";
import { Estimate, useEstimate } from "../make/estimate.js";
import { snippets } from "../make/snippet.js";
import { CancelChain, ChainFacts, Outcome, Steps, useChain } from "../make/chain.js";
import { JobFacts, Stage } from "../make/stage.js";
import { Session, noteJob } from "../make/session.js";

const draftKey = (name) => `atelier-form-${name}`;

function readDraft(name) {
  try {
    return JSON.parse(sessionStorage.getItem(draftKey(name)) ?? "{}");
  } catch {
    return {};
  }
}

/** The fields of a form for a model; those of a chain's steps are of all forms. */
function fieldsFor(modality, model, forms, all) {
  return fieldsOf(modality, model).map((field) => (field.name === "steps" ? stepsField({ ...field, widget: "rows" }, forms, all) : field));
}

/** The links of pictures that were chosen in this tab end with it. */
function writeDraft(name, values) {
  const bare = (key, value) => (key === "url" && String(value).startsWith("blob:") ? "" : value);
  sessionStorage.setItem(draftKey(name), JSON.stringify(values, bare));
}

export default function Make({ id, query, me }) {
  const { modalities, error: unread, reload } = useModalities();
  const models = useApi("/models/v1", 30);
  const error = unread ?? models.error;
  if (error && !(modalities && models.data)) return html`<${ProblemNote} error=${error} retry=${unread ? reload : models.reload} />`;
  if (!modalities || !models.data) return html`<${Loading} />`;
  const modality = modalities.find((one) => one.name === (id ?? "image")) ?? modalities[0];
  return html`<div class="head">
      <h1>Make</h1>
      <nav class="tabs" aria-label="What to make">
        ${modalities.map((one) => html`<a key=${one.name} href=${to(`/make/${one.name}`)} aria-current=${one === modality ? "page" : undefined}>${one.title}</a>`)}
      </nav>
    </div>
    <${Bench} key=${modality.name} ...${{ modality, query, me }} forms=${modalities} all=${models.data.models} />`;
}

function Bench({ modality, forms, all, query, me }) {
  const [values, setValues] = useState(() => ({ ...firstValues(fieldsFor(modality, null, forms, all)), ...readDraft(modality.name), ...fromQuery(query, modality) }));
  const [problem, setProblem] = useState(null);
  const [isSending, setSending] = useState(false);
  const models = all.filter((one) => one.modality === modality.models);
  const model = models.find((one) => one.id === values.model) ?? null;
  const ready = defaultModel(models);
  // Which model makes a chain follows from all of its steps: the estimate says it, and no limits are known before.
  const effective = model ?? (modality.isChain ? null : ready);
  const isServed = Boolean(effective ?? ready) || !modality.models;
  const fields = useMemo(() => fieldsFor(modality, effective, forms, all), [modality, effective, forms, all]);
  const body = bodyOf(values, fields);
  const isMissing = !isWhole(body, fields) || Object.keys(body).every((name) => name === "model");
  const isUploading = fields.some((field) => isOnItsWay(values[field.name]));
  const isWriter = me.granted.includes("jobs:write");
  const estimated = useEstimate(modality, body, modality.estimate && !isMissing && !isUploading && isWriter);
  const jobId = query.get("job");
  const { job, preview, error: jobError, reload } = useJob(jobId);
  const chainId = jobId ? null : query.get("chain");
  const { data: chain, error: chainError, reload: reloadChain } = useChain(chainId);
  const original = useOriginal(job);
  const form = useRef(null);

  useEffect(() => writeDraft(modality.name, values), [values]);
  useEffect(() => {
    const press = (event) => {
      const isForForm = event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.target.closest("dialog, a");
      if (!isForForm || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      submit();
    };
    // Of the page, not of the form: after a file was chosen, no field has the focus.
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  useEffect(() => {
    if (query.get("from")) fillFrom(query.get("from"));
  }, [query.get("from")]);

  async function fillFrom(source) {
    try {
      const request = await get(`/jobs/v1/${source}/request`);
      if (request.params === null) toast("The request of this job was removed, as its retention says.", "bad");
      else setValues(valuesOf({ ...request.params, model: request.model }, fieldsOf(modality, models.find((one) => one.id === request.model) ?? null)));
    } catch (failed) {
      toast(failed.message, "bad");
    }
    setQuery({ from: null });
  }

  async function send(event) {
    event.preventDefault();
    if (isSending || isUploading || !isWriter) return;
    setSending(true);
    setProblem(null);
    try {
      const made = await post(modality.path, body, { "idempotency-key": idempotencyKey() });
      const jobId = made.job_id ?? made.steps.at(-1).job.job_id;
      noteJob(jobId);
      if (!modality.isChain) noteOriginal(jobId, values.input_image);
      setQuery({ job: made.job_id, chain: made.chain_id, from: null }, { replace: false });
    } catch (failed) {
      setProblem(failed);
      const element = [failed.path, failed.path.replace(/\[\d+\]$/, ""), failed.field].map((path) => document.getElementById(fieldId(path))).find(Boolean);
      element?.focus();
    }
    setSending(false);
  }
  /** Send the form as it is after the changes of this event. */
  const submit = () => setTimeout(() => form.current?.requestSubmit());
  const set = (name) => (value) => {
    setValues((known) => changed(known, name, value));
    if (problem?.field === name) setProblem(null);
  };
  const errorOf = (name) => (problem?.field === name || (name === "size" && ["width", "height"].includes(problem?.field)) ? problem.message : "");
  const group = (name) => fields.filter((field) => field.group === name).map((field) => html`<${FormField} key=${field.name} field=${field} value=${values[field.name]} onChange=${set(field.name)} problem=${errorOf(field.name) ? problem : null} />`);
  const isShownAtField = problem && fields.some((field) => errorOf(field.name));
  const more = fields.filter((field) => field.group === "more");

  return html`<div class="bench">
    <form class="form" aria-label="Request" ref=${form} onSubmit=${send} novalidate>
      ${modality.models && html`<${ModelField} ...${{ models, model, effective }} onChange=${set("model")} error=${errorOf("model")} />`}
      ${modality.schema.properties.image_model && html`<${ModelField} name="image_model" label="First frames by" models=${all.filter((one) => one.modality === "image")} model=${all.find((one) => one.id === values.image_model) ?? null} effective=${null} onChange=${set("image_model")} error=${errorOf("image_model")} />`}
      ${group("main")}
      ${more.length > 0 && html`<details open=${more.some((field) => errorOf(field.name))}><summary>More: ${more.slice(0, 3).map((field) => field.label.toLowerCase()).join(", ")}…</summary><div class="form">${group("more")}</div></details>`}
      <details open=${Boolean(problem && fields.some((field) => field.group === "job" && errorOf(field.name)))}><summary>Where, when, labels</summary><div class="form">${group("job")}</div></details>
      <div class="send">
        ${modality.estimate && html`<${Estimate} ...${estimated} />`}
        ${problem && !isShownAtField && html`<${ProblemNote} error=${problem} />`}
        ${isWriter
          ? html`<button class="btn go" disabled=${isSending || isUploading}>${isUploading ? "Uploading…" : `Make ${/^[A-Z0-9]+$/.test(modality.title) ? modality.title : modality.title.toLowerCase()}`} <kbd>Ctrl ↵</kbd></button>`
          : html`<${Note} kind="off" title="Look only">This key lacks the scope <code>jobs:write</code>.<//>`}
      </div>
    </form>
    <section class="stage" aria-label="Result">
      ${!isServed && html`<${NoModel} models=${models} me=${me} modality=${modality} />`}
      ${jobError && html`<${ProblemNote} error=${jobError} retry=${reload} />`}
      ${job && html`<${Stage} ...${{ job, preview, original, me }} again=${() => { setValues((known) => ({ ...known, seed: undefined })); submit(); }} />`}
      ${chainError && html`<${ProblemNote} error=${chainError} retry=${reloadChain} />`}
      ${chain && html`<div class="result"><${Outcome} chain=${chain} /><div class="acts"><${CancelChain} ...${{ chain, me }} reload=${reloadChain} /></div><${Steps} chain=${chain} /></div>`}
      ${!jobId && !chainId && isServed && html`<${Empty} title="Nothing made here yet">Fill in the form and press <kbd>Ctrl ↵</kbd>. The job goes on when you close this page, and its address shows it again.<//>`}
      <${Session} current=${jobId} />
    </section>
    <aside class="slip" aria-label="Request and facts">
      <${Snippet} texts=${snippets(modality, body)} />
      ${job && html`<${JobFacts} job=${job} />`}
      ${chain && html`<${ChainFacts} chain=${chain} />`}
    </aside>
  </div>`;
}

/** Values that a link brings: texts as they are, media by their ids. */
function fromQuery(query, modality) {
  const found = {};
  for (const field of fieldsOf(modality, null)) {
    const value = query.get(field.name);
    if (value === null || field.widget === "rows") continue;
    if (field.widget === "media") found[field.name] = { id: value, name: value };
    else if (field.widget === "media-list") found[field.name] = [{ id: value, name: value }];
    else if (["list", "lines"].includes(field.widget)) found[field.name] = query.getAll(field.name);
    else if (field.widget === "number") found[field.name] = Number(value);
    else found[field.name] = value;
  }
  if (query.get("model")) found.model = query.get("model");
  return found;
}

function ModelField({ name = "model", label = "Model", models, model, effective, onChange, error }) {
  const words = (one) => `${one.title}${one.tier === "demo" ? " (demo)" : ""}${one.available ? "" : ": no server has it"}`;
  const shown = model ?? effective;
  return html`<div>
    <label for=${fieldId(name)}>${label} <small>${shown ? shown.licence.name : ""}</small></label>
    <select id=${fieldId(name)} class="in" value=${model?.id ?? ""} onChange=${(event) => onChange(event.target.value)} aria-invalid=${error ? "true" : undefined} aria-describedby=${`${name}-note`}>
      <option value="" selected=${!model}>${effective ? `Default: ${effective.title}` : models.some((one) => one.available) ? "The service chooses" : "Default"}</option>
      ${models.map((one) => html`<option key=${one.id} value=${one.id} selected=${one === model}>${words(one)}</option>`)}
    </select>
    <p id=${`${name}-note`} class=${error ? "field-error" : "quiet tiny"}>${error || (shown?.vram_bytes ? `Takes ${bytes(shown.vram_bytes)} on the device` : "")}</p>
  </div>`;
}

function NoModel({ models, me, modality }) {
  const isOperator = me.granted.includes("servers:write");
  return html`<${Empty} title=${`No server makes ${modality.title.toLowerCase()} at present`}>
    ${models.length === 0 ? "The catalog has no model for it. " : "A job waits until one does. "}
    ${isOperator ? html`Start a worker that has one of its models: <code>atelier worker gpu</code>.` : "Ask your operator to start one."}
  <//>`;
}
