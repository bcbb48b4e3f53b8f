/** Keys: those of the tenant, with what each may do; made (and shown once), and revoked. */
import { html, useState } from "../html.js";
import { call, post } from "../api.js";
import { Empty, Loading, Note, ProblemNote, State } from "../parts/state.js";
import { Icon } from "../parts/icons.js";
import { attempt, confirm, copy, openDialog } from "../parts/dialog.js";
import { usePages } from "../parts/paging.js";
import { ago, date, dollars, moment } from "../format.js";

const SCOPES = { read: "Look only", write: "Make and change", admin: "Operate" };
const LIVES = { "": "for good", 86_400: "a day", 2_592_000: "30 days", 31_536_000: "a year" };

export default function Keys({ me }) {
  const { items, error, isReady, next, more, isLoading, reload } = usePages("/keys/v1?limit=50", (data) => data.keys, (key) => key.key_id);
  const isOperator = me.granted.includes("keys:write");
  const add = async () => {
    const made = await openDialog((close) => html`<${NewKey} close=${close} />`, "Make a key");
    if (made) {
      await openDialog((close) => html`<${Shown} close=${close} made=${made} />`, "The new key");
      reload();
    }
  };
  return html`<div class="head"><h1>Keys</h1><span class="quiet">of <b>${me.tenant}</b></span><div class="acts">${isOperator && html`<button class="btn" onClick=${add}><${Icon} name="keys" />Make a key</button>`}</div></div>
    ${!isOperator && html`<${Note} kind="off" title="Look only">Keys are made and revoked with a key that has the scope <code>keys:write</code>.<//>`}
    <${ProblemNote} error=${error} retry=${reload} />
    ${!isReady && !error && html`<${Loading} />`}
    ${isReady && items.length === 0 && html`<${Empty} title="No keys">Make one for each program that calls the service.<//>`}
    ${items.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label="Keys"><table><thead><tr><th>Name</th><th>State</th><th>Scopes</th><th class="hide-s">Last used</th><th class="hide-s">Expires</th><th class="r hide-s">Spent</th><th><span class="sr">Revoke</span></th></tr></thead>
      <tbody>${items.map((key) => html`<tr key=${key.key_id}><td><b>${key.name}</b><br /><span class="mono quiet tiny">${key.key_id}</span></td>
        <td>${key.valid ? html`<${State} kind="ok">valid<//>` : html`<${State} kind="off">${key.revoked_at ? "revoked" : "expired"}<//>`}</td>
        <td>${(key.scopes.length ? key.scopes : ["write"]).map((one) => html`<span key=${one} class="tag">${one}</span> `)}</td>
        <td class="num hide-s">${key.last_used_at ? html`<time title=${moment(key.last_used_at)} datetime=${key.last_used_at}>${ago(key.last_used_at)}</time>` : "never"}</td>
        <td class="num hide-s">${key.expires_at ? date(key.expires_at) : "never"}</td>
        <td class="r num hide-s">${dollars(key.spent_usd)}${key.budget_usd === null ? "" : ` of ${dollars(key.budget_usd)}`}</td>
        <td class="r">${isOperator && key.valid && html`<button class="btn sm" onClick=${() => revoke(key, me, reload)}>Revoke…</button>`}</td></tr>`)}</tbody></table></div>
      ${next && html`<p class="more"><span></span><button class="btn" disabled=${isLoading} onClick=${more}>More</button></p>`}`}`;
}

async function revoke(key, me, reload) {
  const isOwn = key.key_id === me.key_id;
  const text = isOwn ? "This session was begun with it: it ends, too." : "Requests with it are refused at once, and its sessions and streams end.";
  if (await confirm({ title: `Revoke ${key.name}?`, text, act: "Revoke", typed: key.name })) {
    await attempt(() => call("DELETE", `/keys/v1/${key.key_id}`), "Revoked");
    reload();
  }
}

function NewKey({ close }) {
  const [values, setValues] = useState({ name: "", scope: "write", life: "", budget: "" });
  const [error, setError] = useState(null);
  const set = (name) => (event) => setValues({ ...values, [name]: event.target.value });
  const send = async (event) => {
    event.preventDefault();
    try {
      close(await post("/keys/v1", {
        name: values.name, scopes: [values.scope],
        ...(values.life ? { expires_in_seconds: Number(values.life) } : {}),
        ...(values.budget ? { budget_usd: Number(values.budget) } : {}),
      }));
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<form class="question" onSubmit=${send}>
    <h2>Make a key</h2>
    <label class="stack">Name<input class="in" autofocus required maxlength="100" placeholder="Shop" value=${values.name} onInput=${set("name")} /></label>
    <label class="stack">It may<select class="in" value=${values.scope} onChange=${set("scope")}>${Object.entries(SCOPES).map(([name, title]) => html`<option key=${name} value=${name} selected=${name === values.scope}>${title} (${name})</option>`)}</select></label>
    <label class="stack">It is valid<select class="in" value=${values.life} onChange=${set("life")}>${Object.entries(LIVES).map(([name, title]) => html`<option key=${name} value=${name}>${title}</option>`)}</select></label>
    <label class="stack">Budget in dollars<input class="in num" type="number" min="0" step="any" placeholder="none" value=${values.budget} onInput=${set("budget")} /></label>
    ${error && html`<p class="field-error" role="alert">${error.message}</p>`}
    <div class="acts"><button type="button" class="btn" onClick=${() => close(null)}>Cancel</button><button class="btn strong">Make</button></div>
  </form>`;
}

function Shown({ close, made }) {
  return html`<div class="question"><h2>${made.name}</h2><p>This is shown only now. Keep it where secrets are kept.</p>
    <p class="raw mono" data-secret>${made.key}</p>
    <div class="acts"><button class="btn" onClick=${() => copy(made.key)}><${Icon} name="copy" />Copy</button><button class="btn strong" onClick=${() => close(null)}>I have it</button></div></div>`;
}
