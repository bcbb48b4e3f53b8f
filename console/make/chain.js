/** A chain on the stage: what came of it, its steps with their jobs and results, and what it costs. */
import { html } from "../html.js";
import { post, useApi } from "../api.js";
import { to } from "../router.js";
import { JobState, Note, isOver } from "../parts/state.js";
import { Thumb } from "../parts/media.js";
import { attempt } from "../parts/dialog.js";
import { StepName, StepState } from "../parts/steps.js";
import { dollars, moment, seconds, words } from "../format.js";
import { Outputs } from "./stage.js";

/** A chain as it is, read again until it has ended; nothing without an id. */
export const useChain = (id) => useApi(id && `/chains/v1/${id}`, (found) => (found && isOver(found) ? 0 : 2));

export function CancelChain({ chain, me, reload }) {
  if (isOver(chain) || !me.granted.includes("jobs:write")) return null;
  const cancel = () => attempt(async () => { await post(`/chains/v1/${chain.chain_id}/cancel`); reload(); }, "Cancelled");
  return html`<button class="btn" onClick=${cancel}>Cancel</button>`;
}

export function ChainFacts({ chain }) {
  return html`<section><div class="sec"><h2>Facts</h2></div><dl class="facts">
    <dt>Chain</dt><dd><a class="mono" href=${to(`/chains/${chain.chain_id}`)}>${chain.chain_id}</a></dd>
    <dt>Submitted</dt><dd><time datetime=${chain.created_at}>${moment(chain.created_at)}</time></dd>
    ${chain.finished_at && html`<dt>Ended</dt><dd><time datetime=${chain.finished_at}>${moment(chain.finished_at)}</time></dd>`}
    <dt>Cost</dt><dd><span class="num">${dollars(chain.cost_usd)}</span> of at most <span class="num">${dollars(chain.price_usd)}</span></dd>
  </dl>${chain.warnings.map((one) => html`<${Note} key=${one} title="Note">${one}<//>`)}</section>`;
}

/** What came of a chain by now: how far it is, its result, or why there is none. */
export function Outcome({ chain }) {
  const last = chain.steps.at(-1).job;
  if (chain.status === "failed") {
    const failed = chain.steps.find((step) => step.name === chain.failed_step)?.job;
    const action = failed && html`<a class="btn sm" href=${to(`/jobs/${failed.job_id}`)}>Open the step</a>`;
    return html`<${Note} kind="bad" title=${words(chain.error?.code ?? "failed")} action=${action}>${chain.failed_step}: ${chain.error?.message} What was made before it stays.<//>`;
  }
  if (chain.status === "cancelled") return html`<${Note} kind="off" title="Cancelled">What was made before stays.<//>`;
  if (!isOver(chain)) return html`<section class="running"><${JobState} job=${chain} /><progress max="1" value=${chain.progress} aria-label="Progress"></progress></section>`;
  if (!last?.outputs.length) return html`<${Note} kind="off" title="Removed">The files of its last step are not there any more; its facts remain.<//>`;
  return html`<${Outputs} job=${last} />`;
}

/** The steps of a chain with their jobs and results. */
export function Steps({ chain }) {
  return html`<section><div class="sec"><h2>Steps</h2></div><div class="scroll" tabindex="0" role="region" aria-label="Steps"><table>
    <thead><tr><th>State</th><th><span class="sr">Result</span></th><th>Step</th><th class="hide-s">Made by</th><th class="r hide-s">Took</th></tr></thead>
    <tbody>${chain.steps.map((step) => html`<tr key=${step.name}><td><${StepState} step=${step} /></td>
      <td><span class="mini">${step.job?.outputs[0] && html`<${Thumb} output=${step.job.outputs[0]} />`}</span></td>
      <td><${StepName} step=${step} /> <span class="quiet">${step.job?.modality}</span></td>
      <td class="mono hide-s">${step.job?.model}</td><td class="r num hide-s">${seconds(step.job?.processing_time_seconds)}</td></tr>`)}</tbody>
  </table></div></section>`;
}
