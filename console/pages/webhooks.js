/** Webhooks: endpoints and their secrets, and what was delivered to them, attempt by attempt. */
import { html, useState } from "../html.js";
import { call, post, query as queryOf, useApi } from "../api.js";
import { setQuery, to } from "../router.js";
import { Empty, Loading, Note, ProblemNote, State } from "../parts/state.js";
import { Icon } from "../parts/icons.js";
import { attempt, confirm, copy, openDialog } from "../parts/dialog.js";
import { usePages } from "../parts/paging.js";
import { ago, moment, words } from "../format.js";

const EVENTS = ["job.queued", "job.started", "job.completed", "job.failed", "job.cancelled", "chain.completed", "chain.failed", "chain.cancelled"];
const STATES = { pending: "wait", delivered: "ok", failed: "bad", superseded: "off" };

export default function Webhooks({ query, me }) {
  const { data, error, reload } = useApi("/webhooks/v1", 15);
  const isWriter = me.granted.includes("webhooks:write");
  const state = query.get("state") ?? "";
  const endpoint = query.get("endpoint") ?? "";
  const log = usePages(`/webhooks/v1/deliveries${queryOf({ limit: 50, state, webhook_id: endpoint })}`, (found) => found.deliveries, (one) => one.delivery_id, 5);
  const add = async () => {
    const made = await openDialog((close) => html`<${NewEndpoint} close=${close} />`, "Add an endpoint");
    if (made) await showSecret(made);
    reload();
  };
  return html`<div class="head"><h1>Webhooks</h1><div class="acts">${isWriter && html`<button class="btn" onClick=${add}><${Icon} name="webhooks" />Add an endpoint</button>`}</div></div>
    <${ProblemNote} error=${error} retry=${reload} />
    ${!data && !error && html`<${Loading} />`}
    ${data?.webhooks.length === 0 && html`<${Empty} title="No endpoints yet">An endpoint gets a signed message for each event of your jobs. A job may name a <code>callback_url</code> of its own, too.<//>`}
    ${data?.webhooks.map((one) => html`<${Endpoint} key=${one.webhook_id} ...${{ one, isWriter, reload }} />`)}
    <section class="sect"><div class="sec"><h2>Deliveries</h2><span class="acts">${isWriter && html`<button class="btn sm" onClick=${() => replayRange(log.reload)}>Send a range again…</button>`}</span></div>
      <div class="filters"><div class="chips" role="group" aria-label="State">${["", ...Object.keys(STATES)].map((name) => html`<button key=${name} class="chip" aria-pressed=${name === state} onClick=${() => setQuery({ state: name })}>${name ? words(name) : "All"}</button>`)}</div>
        <select class="in" aria-label="Endpoint" value=${endpoint} onChange=${(event) => setQuery({ endpoint: event.target.value })}><option value="">Every endpoint and callback_url</option>${(data?.webhooks ?? []).map((one) => html`<option key=${one.webhook_id} value=${one.webhook_id} selected=${one.webhook_id === endpoint}>${one.url}</option>`)}</select></div>
      <${ProblemNote} error=${log.error} retry=${log.reload} />
      ${log.isReady && log.items.length === 0 && html`<p class="quiet">No delivery is like this.</p>`}
      <ul class="deliveries">${log.items.map((one) => html`<${DeliveryRow} key=${one.delivery_id} ...${{ one, isWriter }} reload=${log.reload} />`)}</ul>
      ${log.next && html`<p class="more"><span></span><button class="btn" disabled=${log.isLoading} onClick=${log.more}>Older</button></p>`}
    </section>`;
}

const showSecret = (made) => openDialog((close) => html`<div class="question"><h2>The secret</h2><p>Verify the signature of each message with it. It is shown only now.</p><p class="raw mono" data-secret>${made.secret}</p>
  <div class="acts"><button class="btn" onClick=${() => copy(made.secret)}><${Icon} name="copy" />Copy</button><button class="btn strong" onClick=${() => close(null)}>I have it</button></div></div>`, "The secret");

function Endpoint({ one, isWriter, reload }) {
  const path = `/webhooks/v1/${one.webhook_id}`;
  const act = (action, done) => attempt(async () => { await action(); reload(); }, done);
  const rotate = async () => {
    if (!(await confirm({ title: "Rotate the secret?", text: "Messages are signed with both for a day, so that receivers can change over.", act: "Rotate" }))) return;
    await attempt(async () => showSecret(await post(`${path}/rotate`)));
  };
  const remove = async () => (await confirm({ title: "Remove this endpoint?", text: `Nothing more is sent to ${one.url}.`, act: "Remove" })) && act(() => call("DELETE", path), "Removed");
  const state = one.enabled ? (one.failing_since ? html`<${State} kind="wait">failing since ${ago(one.failing_since)}<//>` : html`<${State} kind="ok">on<//>`) : html`<${State} kind="off">off${one.disabled_because ? `: ${one.disabled_because}` : ""}<//>`;
  return html`<article class="endpoint"><div><h2 class="mono">${one.url}</h2><p>${state} ${one.events.map((event) => html`<span key=${event} class="tag">${event}</span> `)}</p></div>
    ${isWriter && html`<div class="acts"><button class="btn sm" onClick=${() => act(() => post(`${path}/test`), "A test event is on its way")}>Test</button>
      <button class="btn sm" onClick=${() => act(() => call("PATCH", path, { enabled: !one.enabled }), one.enabled ? "Off" : "On")}>${one.enabled ? "Switch off" : "Switch on"}</button>
      <button class="btn sm" onClick=${rotate}>Rotate…</button><button class="btn sm" onClick=${remove}>Remove…</button></div>`}</article>`;
}

function DeliveryRow({ one, isWriter, reload }) {
  const subject = one.job_id ?? one.chain_id ?? one.media_id ?? "";
  const page = one.job_id ? ["Job", `/jobs/${one.job_id}`] : one.chain_id ? ["Chain", `/chains/${one.chain_id}`] : null;
  return html`<li><details><summary><${State} kind=${STATES[one.state]}>${words(one.state)}<//> <code>${one.type}</code> <span class="mono">${subject.slice(0, 16)}…</span> <span class="clip-text soft">${one.url}</span> <time class="num quiet" title=${moment(one.created_at)} datetime=${one.created_at}>${ago(one.created_at)}</time></summary>
    <div class="inside">${page && html`<p>${page[0]} <a class="mono" href=${to(page[1])}>${subject}</a></p>`}${one.problem && html`<${Note} kind="bad">${one.problem}<//>`}
      ${one.attempts.length ? html`<table><thead><tr><th>Attempt</th><th>At</th><th>Answer</th><th class="r">Took</th></tr></thead><tbody>${one.attempts.map((each) => html`<tr key=${each.attempt}><td class="num">${each.attempt}</td><td class="num">${moment(each.at)}</td><td>${each.status ?? each.problem}</td><td class="r num">${each.milliseconds} ms</td></tr>`)}</tbody></table>` : html`<p class="quiet">Not tried yet.</p>`}
      <p class="acts left">${one.next_attempt_at && html`<span class="quiet">Next attempt ${ago(one.next_attempt_at)}</span>`}${isWriter && one.state !== "pending" && html`<button class="btn sm" onClick=${() => attempt(async () => { await post(`/webhooks/v1/deliveries/${one.delivery_id}/replay`); reload(); }, "On its way again")}>Send again</button>`}</p></div></details></li>`;
}

async function replayRange(reload) {
  const asked = await openDialog((close) => html`<${AskRange} close=${close} />`, "Send a range again");
  if (!asked) return;
  await attempt(async () => {
    let sent = 0;
    for (let since = asked.since; since; ) {
      const answer = await post("/webhooks/v1/replay", { ...asked, since });
      sent += answer.replayed;
      since = answer.next_since;
    }
    reload();
    await openDialog((close) => html`<div class="question"><h2>${sent} sent again</h2><div class="acts"><button class="btn strong" onClick=${() => close(null)}>Good</button></div></div>`, "Sent again");
  });
}

function AskRange({ close }) {
  const [hours, setHours] = useState("1");
  const [state, setState] = useState("failed");
  const send = (event) => {
    event.preventDefault();
    const until = new Date();
    close({ since: new Date(until - Number(hours) * 3_600_000).toISOString(), until: until.toISOString(), state });
  };
  return html`<form class="question" onSubmit=${send}><h2>Send a range again</h2>
    <label class="stack">The last hours<input class="in num" type="number" min="0.1" step="any" required value=${hours} onInput=${(event) => setHours(event.target.value)} /></label>
    <label class="stack">Those that are<select class="in" value=${state} onChange=${(event) => setState(event.target.value)}>${["failed", "delivered", "superseded"].map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
    <div class="acts"><button type="button" class="btn" onClick=${() => close(null)}>Cancel</button><button class="btn strong">Send again</button></div></form>`;
}

function NewEndpoint({ close }) {
  const [url, setUrl] = useState("");
  const [events, setEvents] = useState(["job.completed", "job.failed"]);
  const [error, setError] = useState(null);
  const send = async (event) => {
    event.preventDefault();
    try {
      close(await post("/webhooks/v1", { url, events }));
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<form class="question" onSubmit=${send}><h2>Add an endpoint</h2>
    <label class="stack">URL<input class="in" type="url" autofocus required placeholder="https://shop.example/hooks/atelier" value=${url} onInput=${(event) => setUrl(event.target.value)} /></label>
    <fieldset><legend class="label">Events</legend>${EVENTS.map((one) => html`<label key=${one} class="switch"><input type="checkbox" checked=${events.includes(one)} onChange=${(event) => setEvents(event.target.checked ? [...events, one] : events.filter((each) => each !== one))} />${one}</label>`)}</fieldset>
    ${error && html`<p class="field-error" role="alert">${error.message}</p>`}
    <div class="acts"><button type="button" class="btn" onClick=${() => close(null)}>Cancel</button><button class="btn strong" disabled=${!events.length}>Add</button></div></form>`;
}
