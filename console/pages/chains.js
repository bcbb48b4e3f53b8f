/** Chains and storyboards: jobs of which one's output is another's input, each with the state of its steps. */
import { html } from "../html.js";
import { to } from "../router.js";
import { Empty, JobState, Loading, ProblemNote, isOver } from "../parts/state.js";
import { usePages } from "../parts/paging.js";
import { StepName, StepState, namesOf } from "../parts/steps.js";
import { ago, moment } from "../format.js";

export default function Chains({ me }) {
  const { items, error, isReady, isLoading, next, more, reload } = usePages("/chains/v1?limit=20", (data) => data.chains, (chain) => chain.chain_id, (data) => (data?.chains.some((chain) => !isOver(chain)) ? 2 : 10));
  return html`<div class="head"><h1>Chains</h1><span class="quiet">of <b>${me.tenant}</b>, newest first</span></div>
    <${ProblemNote} error=${error} retry=${reload} />
    ${!isReady && !error && html`<${Loading} />`}
    ${isReady && items.length === 0 && html`<${Empty} title="No chains yet">
      A chain makes one job’s output the input of another; a storyboard is one of several shots. Make <a href=${to("/make/chain")}>a chain</a> or <a href=${to("/make/storyboard")}>a storyboard</a>.
    <//>`}
    ${items.map((chain) => html`<article key=${chain.chain_id} class="chain" aria-label=${chain.chain_id}>
      <h2><a href=${to(`/chains/${chain.chain_id}`)}>${namesOf(chain)}</a></h2>
      <p><${JobState} job=${chain} /> <time class="quiet num" datetime=${chain.created_at} title=${moment(chain.created_at)}>${ago(chain.created_at)}</time></p>
      <ol class="links">${chain.steps.map((step) => html`<li key=${step.name}><${StepState} step=${step} /> <${StepName} step=${step} /></li>`)}</ol>
    </article>`)}
    ${next && html`<p class="more"><span></span><button class="btn" disabled=${isLoading} onClick=${more}>Older</button></p>`}`;
}
