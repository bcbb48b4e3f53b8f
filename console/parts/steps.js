/** The steps of a chain: what they are called, and the state of each. */
import { html } from "../html.js";
import { to } from "../router.js";
import { words } from "../format.js";
import { JobState, State } from "./state.js";

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
