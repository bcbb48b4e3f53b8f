/** A chain: what came of it, its steps with their jobs and results, and what it costs. */
import { html } from "../html.js";
import { to } from "../router.js";
import { JobState, Loading, ProblemNote } from "../parts/state.js";
import { namesOf } from "../parts/steps.js";
import { CancelChain, ChainFacts, Outcome, Steps, useChain } from "../make/chain.js";

export default function ChainPage({ id, me }) {
  const { data: chain, error, reload } = useChain(id);
  if (error?.status === 404) return html`<div class="head"><h1>Chain</h1></div><div class="empty"><h2>There is no such chain</h2><p>It ended long ago, or is another tenant’s; its jobs may still be there. <a href=${to("/chains")}>All your chains</a></p></div>`;
  if (!chain) return html`<div class="head"><h1>Chain</h1></div>${error ? html`<${ProblemNote} error=${error} retry=${reload} />` : html`<${Loading} />`}`;
  return html`<div class="head">
      <h1 class="clip-text" title=${namesOf(chain)}>${namesOf(chain)}</h1><${JobState} job=${chain} />
      <div class="acts"><${CancelChain} ...${{ chain, me, reload }} /></div>
    </div>
    <${ProblemNote} error=${error} retry=${reload} />
    <div class="cols">
      <div class="side one"><${Outcome} chain=${chain} /><${Steps} chain=${chain} /></div>
      <div class="side one">
        <${ChainFacts} chain=${chain} />
        <details><summary>Chain as JSON</summary><pre class="raw" tabindex="0">${JSON.stringify(chain, null, 2)}</pre></details>
      </div>
    </div>`;
}
