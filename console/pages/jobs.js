/** Jobs: a live list with filters as a URL; what is selected can be cancelled, deleted or made again together. */
import { html, useEffect, useRef, useState } from "../html.js";
import { call, idempotencyKey, post, query as queryOf } from "../api.js";
import { navigate, setQuery, to } from "../router.js";
import { Empty, JobState, Loading, Note, ProblemNote, isOver } from "../parts/state.js";
import { Thumb } from "../parts/media.js";
import { attempt, confirm, toast } from "../parts/dialog.js";
import { forEach, useSelection } from "../parts/bulk.js";
import { useKeys } from "../parts/keys.js";
import { MOST_ROWS, usePages } from "../parts/paging.js";
import { ago, between, count, moment, seconds } from "../format.js";

const PAGE = 50;
const ROW_PX = 36;
/** Rows above and below of what is seen, which are in the page, too. */
const BEYOND = 12;
const STATES = [["", "All"], ["queued", "Waiting"], ["processing", "Running"], ["completed", "Done"], ["failed", "Failed"], ["cancelled", "Cancelled"]];
const QUALIFIERS = ["state", "modality", "model", "server", "error", "label", "since", "until"];
const HOUR = 3_600_000;
const SPANS = { h: HOUR, d: 24 * HOUR };
/** How far back jobs of a server are looked for, where no `since:` says it: they are found by reading all of that time. */
const SERVER_SINCE = "7d";

/** A time as the API takes it, of `24h`, `7d` (ago, from a full hour, so that it stays the same), a day or a time; null for others. */
export function readTime(text, now = Date.now()) {
  const ago = /^(\d{1,4})([hd])$/.exec(text);
  const at = ago ? new Date(Math.floor(now / HOUR) * HOUR - ago[1] * SPANS[ago[2]]) : new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}

/** The filters of a text like `model:flux2-klein-4b label:campaign:spring since:24h`. */
export function readFilters(text) {
  const found = { label: [] };
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const [name, ...rest] = word.split(":");
    const value = rest.join(":");
    if (name === "label") found.label.push(value.replace("=", ":"));
    else if (QUALIFIERS.includes(name)) found[name] = value;
    else return { problem: `“${word}” is no filter. Use ${QUALIFIERS.map((one) => `${one}:`).join(", ")} or the id of a job.` };
  }
  if (found.server) found.since ??= SERVER_SINCE;
  for (const name of ["since", "until"]) {
    if (!found[name]) continue;
    found[name] = readTime(found[name]);
    if (!found[name]) return { problem: `\`${name}:\` takes 24h, 7d, a day like 2026-03-31 or a time.` };
  }
  return found;
}

export default function Jobs({ query, me }) {
  const status = query.get("state") ?? "";
  const text = query.get("q") ?? "";
  const filters = readFilters(text);
  const path = filters.problem ? null : `/jobs/v1${queryOf({
    limit: PAGE, status: status || filters.state, modality: filters.modality, model: filters.model, label: filters.label,
    server_id: filters.server, error_code: filters.error, since: filters.since, until: filters.until,
  })}`;
  const pages = usePages(path, (data) => data.jobs, (job) => job.job_id, (data) => (data?.jobs.some((job) => !isOver(job)) ? 2 : 10));
  const jobs = pages.items;
  const { selected, toggle, clear } = useSelection(path);
  const filter = useRef(null);
  const list = useRef(null);
  const [at, setAt] = useState(-1);
  useKeys({
    "/": () => filter.current.focus(),
    j: () => setAt((known) => Math.min(known + 1, jobs.length - 1)),
    k: () => setAt((known) => Math.max(known - 1, 0)),
    Enter: () => jobs[at] && navigate(`/jobs/${jobs[at].job_id}`),
    x: () => jobs[at] && toggle(jobs[at].job_id),
    Escape: clear,
  });
  const search = (event) => {
    event.preventDefault();
    const given = filter.current.value.trim();
    if (/^job_[0-9a-f]+$/.test(given)) navigate(`/jobs/${given}`);
    else setQuery({ q: given }, { replace: false });
  };
  return html`<div class="head"><h1>Jobs</h1><span class="quiet">of <b>${me.tenant}</b>, newest first</span>
      <div class="acts"><${Pause} me=${me} /></div></div>
    <div class="filters">
      <div class="chips" role="group" aria-label="State">
        ${STATES.map(([name, words]) => html`<button key=${name} class="chip" aria-pressed=${name === status} onClick=${() => setQuery({ state: name }, { replace: false })}>${words}</button>`)}
      </div>
      <form role="search" onSubmit=${search}>
        <input ref=${filter} key=${text} class="in" type="search" aria-label="Filter" placeholder="model:… server:… label:key:value since:24h, or job_…" defaultValue=${text} aria-describedby="filter-note" />
      </form>
    </div>
    <p id="filter-note" class=${filters.problem ? "field-error" : "sr"} role=${filters.problem ? "alert" : undefined}>${filters.problem ?? `Filters: ${QUALIFIERS.join(", ")}, or the id of a job. Press Enter.`}</p>
    <${ProblemNote} error=${pages.error} retry=${pages.reload} />
    ${selected.size > 0 && html`<${Bulk} ...${{ jobs: jobs.filter((job) => selected.has(job.job_id)), me }} done=${() => { clear(); pages.reload(); }} />`}
    ${path && !pages.isReady && !pages.error && html`<${Loading} />`}
    ${pages.isReady && jobs.length === 0 && html`<${Empty} title=${status || text ? "No job is like this" : "No jobs yet"}>
      ${status || text ? html`<button class="btn" onClick=${() => navigate("/jobs")}>Show all jobs</button>` : html`<a href=${to("/make")}>Make something</a>; it will be here at once.`}
    <//>`}
    ${jobs.length > 0 && html`<${List} ...${{ jobs, selected, toggle, at, list }} />
      <${Older} ...${{ pages }} key=${path} />`}`;
}

/** Pixels below what is seen at which further rows are read. */
const NEAR_PX = 600;

/** What is below the rows; further ones are read as it comes near. */
function Older({ pages }) {
  const line = useRef(null);
  const [, setNear] = useState(false);
  useEffect(() => {
    const near = new IntersectionObserver((seen) => setNear(seen.at(-1).isIntersecting), { rootMargin: `${NEAR_PX}px` });
    near.observe(line.current);
    return () => near.disconnect();
  }, []);
  useEffect(() => {
    // Measured now: what the observer has said may be of before the rows that have just come.
    const isNear = line.current.getBoundingClientRect().top < innerHeight + NEAR_PX;
    if (isNear && pages.next && !pages.isLoading && !pages.error) pages.more();
  });
  const words = pages.items.length >= MOST_ROWS ? "; narrow the filter, or go back in time with until:" : "";
  return html`<p ref=${line} class="more"><span class="quiet">${count(pages.items.length, "job")} shown${words}</span>
    ${pages.next && html`<button class="btn" disabled=${pages.isLoading} onClick=${pages.more}>Older</button>`}</p>`;
}

/** The rows that are seen, of a list whose rows are all of one height. The first frame has these alone, without pictures. */
function List({ jobs, selected, toggle, at, list }) {
  const [range, setRange] = useState(() => [0, Math.ceil(innerHeight / ROW_PX)]);
  const [isPainted, setPainted] = useState(false);
  useEffect(() => {
    let frame = 0;
    const look = () => {
      frame = 0;
      const top = -list.current.getBoundingClientRect().top;
      const from = Math.max(0, Math.floor(top / ROW_PX) - BEYOND);
      const until = Math.ceil((top + innerHeight) / ROW_PX) + BEYOND;
      setRange((known) => (known[0] === from && known[1] === until ? known : [from, until]));
    };
    const later = () => {
      frame ||= requestAnimationFrame(look);
    };
    look();
    setPainted(true);
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", later);
      removeEventListener("resize", later);
    };
  }, []);
  useEffect(() => {
    if (at < 0) return;
    const top = list.current.getBoundingClientRect().top + at * ROW_PX;
    if (top < 0 || top > innerHeight - 4 * ROW_PX) scrollBy(0, top - innerHeight / 2);
  }, [at]);
  const [from, until] = [Math.min(range[0], jobs.length), Math.min(range[1], jobs.length)];
  return html`<div class="rows" role="table" aria-label="Jobs" aria-rowcount=${jobs.length + 1}>
    <div class="row heads" role="row">
      <span role="columnheader" class="hide-s"><span class="sr">Select</span></span><span role="columnheader">State</span><span role="columnheader"><span class="sr">Preview</span></span>
      <span role="columnheader">Job</span><span role="columnheader" class="hide-s">Model</span><span role="columnheader" class="hide-m">Server</span><span role="columnheader" class="r hide-s">Took</span><span role="columnheader" class="r">Made</span>
    </div>
    <div ref=${list} role="rowgroup" class="window" style=${{ height: `${jobs.length * ROW_PX}px` }}>
      ${jobs.slice(from, until).map((job, place) => html`<${Row} key=${job.job_id} ...${{ job, toggle, isPainted }} place=${from + place} isSelected=${selected.has(job.job_id)} isCurrent=${from + place === at} />`)}
    </div>
  </div>`;
}

function Row({ job, place, isSelected, isCurrent, toggle, isPainted }) {
  const labels = Object.entries(job.labels ?? {});
  const took = job.finished_at && job.started_at ? seconds(between(job.started_at, job.finished_at)) : "";
  return html`<div class=${`row ${isSelected ? "sel" : ""} ${isCurrent ? "at" : ""}`} role="row" aria-rowindex=${place + 2} style=${{ transform: `translateY(${place * ROW_PX}px)` }}>
    <span role="cell" class="hide-s"><input type="checkbox" aria-label=${`Select ${job.job_id}`} checked=${isSelected} onChange=${() => toggle(job.job_id)} /></span>
    <span role="cell"><${JobState} job=${job} /></span>
    <span role="cell"><span class="mini">${isPainted && job.outputs[0] && html`<${Thumb} output=${job.outputs[0]} />`}</span></span>
    <span role="cell" class="clip-text"><a href=${to(`/jobs/${job.job_id}`)} dir="auto" title=${job.job_id}>${job.title ?? html`<span class="mono">${job.job_id.slice(0, 16)}…</span>`}</a> <span class="quiet">${job.modality}</span>
      ${labels.map(([key, value]) => html` <span key=${key} class="tag">${key}: ${value}</span>`)}${job.error && html` <span class="quiet">${job.error.code}</span>`}</span>
    <span role="cell" class="mono clip-text hide-s">${job.model}</span>
    <span role="cell" class="mono clip-text hide-m">${job.server_id ?? ""}</span>
    <span role="cell" class="r num hide-s">${took}</span>
    <span role="cell" class="r num quiet"><time datetime=${job.created_at} title=${moment(job.created_at)}>${ago(job.created_at)}</time></span>
  </div>`;
}

/** What can be done with the jobs that are selected, some at a time; each that fails is told with its sentence. */
function Bulk({ jobs, me, done }) {
  const [progress, setProgress] = useState("");
  if (!me.granted.includes("jobs:write")) return html`<${Note} kind="run" title=${`${jobs.length} selected`}>This key may only look.<//>`;
  const each = async (chosen, action, words) => {
    const worked = await forEach(chosen, action, setProgress);
    if (worked) toast(`${count(worked, "job")} ${words}`);
    done();
  };
  const open = jobs.filter((job) => !isOver(job));
  const completed = jobs.filter((job) => job.status === "completed");
  const failed = jobs.filter((job) => job.status === "failed");
  const remove = async () => {
    if (await confirm({ title: `Delete ${count(jobs.length, "job")}?`, text: "Their files and their places in the library are removed for good.", act: "Delete" })) {
      each(jobs, (job) => call("DELETE", `/jobs/v1/${job.job_id}`), "deleted");
    }
  };
  return html`<div class="bulk"><${Note} kind="run" title=${`${jobs.length} selected`} action=${html`<span class="acts">
      <button class="btn sm" disabled=${!open.length || progress} onClick=${() => each(open, (job) => post(`/jobs/v1/${job.job_id}/cancel`), "cancelled")}>Cancel ${open.length || ""}</button>
      <button class="btn sm" disabled=${!completed.length || progress} onClick=${() => each(completed, (job) => post(`/jobs/v1/${job.job_id}/reproduce`, undefined, { "idempotency-key": idempotencyKey() }), "made again")}>Again ${completed.length || ""}</button>
      <button class="btn sm" disabled=${!failed.length || progress} onClick=${() => each(failed, (job) => post(`/jobs/v1/${job.job_id}/redrive`), "run again")}>Run again ${failed.length || ""}</button>
      <button class="btn sm" disabled=${Boolean(progress)} onClick=${remove}>Delete…</button></span>`}>${progress}<//></div>`;
}

function Pause({ me }) {
  const [paused, setPaused] = useState(me.paused_at);
  if (!me.granted.includes("jobs:write")) return null;
  const act = () => attempt(async () => setPaused((await post(`/jobs/v1/${paused ? "resume" : "pause"}`)).paused_at), paused ? "Your queue goes on" : "Your queue is paused: running jobs go on");
  return html`<button class="btn sm" aria-pressed=${Boolean(paused)} onClick=${act}>${paused ? "Resume queue" : "Pause queue"}</button>`;
}
