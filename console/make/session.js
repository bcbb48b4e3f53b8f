/** The jobs of this tab: their ids alone are kept, in its storage. */
import { html, useEffect, useState } from "../html.js";
import { get } from "../api.js";
import { setQuery, to } from "../router.js";
import { JobState, isOver } from "../parts/state.js";
import { Thumb, kindOf } from "../parts/media.js";
import { ago } from "../format.js";

const KEY = "atelier-jobs";
const MOST = 24;
const changed = new EventTarget();

const read = () => JSON.parse(sessionStorage.getItem(KEY) ?? "[]");

export function noteJob(jobId) {
  sessionStorage.setItem(KEY, JSON.stringify([jobId, ...read().filter((one) => one !== jobId)].slice(0, MOST)));
  changed.dispatchEvent(new Event("changed"));
}

export function forgetJob(jobId) {
  sessionStorage.setItem(KEY, JSON.stringify(read().filter((one) => one !== jobId)));
  changed.dispatchEvent(new Event("changed"));
}

export function Session({ current }) {
  const [ids, setIds] = useState(read);
  useEffect(() => {
    const again = () => setIds(read());
    changed.addEventListener("changed", again);
    return () => changed.removeEventListener("changed", again);
  }, []);
  if (!ids.length) return null;
  return html`<div class="contact"><div class="sec"><h2>This session</h2><a href=${to("/jobs")} class="soft">All jobs</a></div>
    <ol>${ids.map((id) => html`<${SessionJob} key=${id} id=${id} isCurrent=${id === current} />`)}</ol></div>`;
}

function SessionJob({ id, isCurrent }) {
  const [job, setJob] = useState(null);
  useEffect(() => {
    let timer = 0;
    let isGone = false;
    async function look() {
      try {
        const found = await get(`/jobs/v1/${id}`);
        if (isGone) return;
        setJob(found);
        if (!isOver(found)) timer = setTimeout(look, 1500);
      } catch (error) {
        if (error.status === 404) forgetJob(id);
      }
    }
    look();
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [id]);
  if (!job) return null;
  const kind = job.outputs[0] ? kindOf(job.outputs[0].media_type) : job.modality;
  return html`<li>
    <button class="thumb" onClick=${() => setQuery({ job: id })} aria-current=${isCurrent ? "true" : undefined} aria-label=${`Job of ${ago(job.created_at)}: ${kind}, ${job.status}`}>
      ${job.outputs[0] ? html`<${Thumb} output=${job.outputs[0]} />` : html`<span class="kind">${job.modality}</span>`}
      ${job.status === "processing" && html`<span class="bar is-run"><i style=${{ width: `${job.progress * 100}%` }}></i></span>`}
    </button>
    <${JobState} job=${job} />
  </li>`;
}
