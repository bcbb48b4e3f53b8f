/** Chains and storyboards: jobs of which one's output is another's input, each with the state of its steps. */
import { html } from "../html.js";
import { root } from "../api.js";
import { to } from "../router.js";
import { Empty, JobState, Loading, ProblemNote, State, isOver } from "../parts/state.js";
import { usePages } from "../parts/paging.js";
import { ago, moment, words } from "../format.js";

export default function Chains({ me }) {
  const { items, error, isReady, isLoading, next, more, reload } = usePages("/chains/v1?limit=20", (data) => data.chains, (chain) => chain.chain_id, (data) => (data?.chains.some((chain) => !isOver(chain)) ? 2 : 10));
  return html`<div class="head"><h1>Chains</h1><span class="quiet">of <b>${me.tenant}</b>, newest first</span></div>
    <${ProblemNote} error=${error} retry=${reload} />
    ${!isReady && !error && html`<${Loading} />`}
    ${isReady && items.length === 0 && html`<${Empty} title="No chains yet">
      A chain makes one job’s output the input of another; a storyboard is one of several shots. <code>POST /chains/v1</code> and <code>POST /storyboards/v1</code> make them: <a href=${`${root}/schema`}>the reference</a> has examples.
    <//>`}
    ${items.map((chain) => html`<article key=${chain.chain_id} class="chain" aria-label=${chain.chain_id}>
      <h2><a href=${to(`/chains/${chain.chain_id}`)}>${namesOf(chain)}</a></h2>
      <p><${JobState} job=${chain} /> <time class="quiet num" datetime=${chain.created_at} title=${moment(chain.created_at)}>${ago(chain.created_at)}</time></p>
      <ol class="links">${chain.steps.map((step) => html`<li key=${step.name}><${StepState} step=${step} /> <${StepName} step=${step} /></li>`)}</ol>
    </article>`)}
    ${next && html`<p class="more"><span></span><button class="btn" disabled=${isLoading} onClick=${more}>Older</button></p>`}`;
}

/** The steps of a chain in words; one that has only its number for a name is called by what it makes. */
export const namesOf = (chain) => chain.steps.map((step) => (/^\d+$/.test(step.name) && step.job ? words(step.job.modality).toLowerCase() : step.name)).join(", ");

/** The state of a step: that of its job, or what it waits for. */
export function StepState({ step }) {
  if (!step.job) return html`<${State} kind="off">Deleted<//>`;
  if (step.job.status === "pending" && step.waits_for.length) return html`<${State} kind="wait">Waits for ${step.waits_for.join(", ")}<//>`;
  return html`<${JobState} job=${step.job} />`;
}

/** The name of a step, as a link to its job while that is there. */
export const StepName = ({ step }) => (step.job ? html`<a href=${to(`/jobs/${step.job.job_id}`)}>${step.name}</a>` : step.name);
