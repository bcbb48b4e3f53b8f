/** States of jobs as color, shape and word. */
import { html } from "../html.js";
import { ordinal } from "../format.js";
import { Icon } from "./icons.js";

const KINDS = {
  pending: "wait",
  queued: "wait",
  processing: "run",
  completed: "ok",
  failed: "bad",
  cancelled: "off",
};
const REASONS = {
  inputs: "Inputs are fetched",
  backoff: "Tried again soon",
  server_offline: "Server is offline",
  server_cordoned: "Server is cordoned",
  store_away: "Store is away",
  server_busy: "Server is busy",
  no_server_for_model: "No server for it",
  tenant_paused: "Your queue is paused",
  tenant_running_cap: "Your cap is reached",
  queue: "Waits its turn",
};
const WORDS = { pending: "Preparing", queued: "Waiting", processing: "Running", completed: "Done", failed: "Failed", cancelled: "Cancelled" };

export const isOver = (job) => ["completed", "failed", "cancelled"].includes(job.status);

/** A state in one word or a few: why a job waits, how far it is, what went wrong. */
export function stateWords(job) {
  if (job.status === "processing") return `Running ${Math.round(job.progress * 100)} %`;
  if (job.status === "queued" && typeof job.queue_position === "number" && job.queue_position > 0 && (job.waiting_for?.code ?? "queue") === "queue") {
    return `${ordinal(job.queue_position)} in line`;
  }
  if (["pending", "queued"].includes(job.status) && job.waiting_for) return REASONS[job.waiting_for.code] ?? WORDS[job.status];
  return WORDS[job.status] ?? job.status;
}

export function State({ kind, children }) {
  return html`<span class="state is-${kind}"><${Icon} name=${kind} />${children}</span>`;
}

export function JobState({ job }) {
  return html`<${State} kind=${KINDS[job.status] ?? "off"}>${stateWords(job)}<//>`;
}

/** A sentence that asks for attention: `kind` is bad, wait, ok, run or off. */
export function Note({ kind = "wait", title, children, action }) {
  return html`<div class="note is-${kind}" role=${kind === "bad" ? "alert" : "status"}>
    ${title && html`<b>${title}</b>`}<span>${children}</span>${action}
  </div>`;
}

/** A problem of the API: its sentence, its code, and the id by which an operator finds it in the logs. */
export function ProblemNote({ error, retry }) {
  if (!error) return null;
  const action = retry && html`<button class="btn sm" onClick=${retry}>Try again</button>`;
  return html`<${Note} kind="bad" title="That did not work" action=${action}>
    ${error.message} <code class="quiet">${error.code}${error.requestId ? ` ${error.requestId}` : ""}</code>
  <//>`;
}

/** What a page shows where there is nothing yet: one sentence, and what to do. */
export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2><p>${children}</p></div>`;
}

export function Loading() {
  return html`<p class="quiet loading" role="status">Loading…</p>`;
}
