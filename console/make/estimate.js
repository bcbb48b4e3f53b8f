/** What the request of the form would take and cost, asked for some time after its last change. */
import { html, useEffect, useState } from "../html.js";
import { post } from "../api.js";
import { count, dollars, seconds } from "../format.js";

const QUIET_MS = 400;

/** `{estimate, problem}` of a body, null while it is not complete. */
export function useEstimate(modality, body, isComplete) {
  const [found, setFound] = useState({});
  const text = isComplete ? JSON.stringify({ ...body, modality: modality.name }) : "";
  useEffect(() => {
    let isOld = false;
    if (!text) {
      setFound({});
      return undefined;
    }
    const timer = setTimeout(() => {
      post(modality.estimate, JSON.parse(text)).then(
        (estimate) => !isOld && setFound({ estimate }),
        (problem) => !isOld && setFound({ problem }),
      );
    }, QUIET_MS);
    return () => {
      isOld = true;
      clearTimeout(timer);
    };
  }, [text]);
  return found;
}

const BASIS = { catalog: "the catalog's figure, not measured here" };

export function Estimate({ estimate, problem }) {
  if (problem) return html`<p class="est-problem" role="status">${problem.status === 0 ? problem.message : `${problem.message}`}</p>`;
  if (!estimate) return html`<p class="quiet" role="status">What it will take is shown here before you send it.</p>`;
  if (estimate.steps) return html`<${ChainEstimate} estimate=${estimate} />`;
  const { total, run, wait } = estimate;
  const when = estimate.waiting_for && !wait ? estimate.waiting_for.message : wait?.p50_seconds >= 1 ? `Starts in about ${seconds(wait.p50_seconds)}` : "Starts at once";
  const basis = BASIS[estimate.basis] ?? `from ${count(estimate.sample_size, "job")} like it`;
  return html`<div class="est" role="status">
    <b class="num">${(total ?? run).p50_seconds >= 0 ? `≈ ${seconds((total ?? run).p50_seconds)}` : ""}</b>
    <span class="soft">${when}${estimate.server_id ? html` on <span class="mono">${estimate.server_id}</span>` : ""}<br />
      <span class="quiet">95 % within <span class="num">${seconds((total ?? run).p95_seconds)}</span>, ${basis}${estimate.model_loaded ? "" : "; the model is loaded first"}</span><br />
      <${Costs} estimate=${estimate} /></span>
  </div>`;
}

/** What several jobs would take one after the other, and cost together. */
function ChainEstimate({ estimate }) {
  const { total, steps } = estimate;
  const waiting = steps.map((step) => step.estimate.waiting_for).find(Boolean);
  const models = [...new Set(steps.map((step) => step.estimate.model))];
  return html`<div class="est" role="status">
    <b class="num">${total ? `≈ ${seconds(total.p50_seconds)}` : ""}</b>
    <span class="soft">${count(steps.length, "job")} by <span class="mono">${models.join(", ")}</span><br />
      <span class="quiet">${total ? html`95 % within <span class="num">${seconds(total.p95_seconds)}</span>` : waiting?.message}</span><br />
      <${Costs} estimate=${estimate} /></span>
  </div>`;
}

const Costs = ({ estimate }) => html`<span class="quiet">Costs <span class="num">${dollars(estimate.price_usd)}</span>${estimate.balance_remaining_usd === null ? "" : html`; <span class="num">${dollars(estimate.balance_remaining_usd)}</span> left`}</span>`;
