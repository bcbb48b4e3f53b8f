/** Servers: their memory by model, their state, what waits for them, and what an operator may order; the last hours. */
import { html, useState } from "../html.js";
import { call, post, query as queryOf, useApi } from "../api.js";
import { setQuery, to } from "../router.js";
import { Empty, Loading, Note, ProblemNote, State } from "../parts/state.js";
import { Chart } from "../parts/chart.js";
import { attempt, confirm, openDialog } from "../parts/dialog.js";
import { count, gib, seconds, secondsBound, storedWords, words } from "../format.js";

const INKS = ["a", "b", "c", "d", "e", "f"];
const RANGES = { "1h": ["hour", 3600, "5m"], "4h": ["4 hours", 14_400, "5m"], "24h": ["24 hours", 86_400, "1h"], "7d": ["7 days", 604_800, "1h"] };
const STATES = { idle: "ok", busy: "run", draining: "wait", drained: "off", cordoned: "off", store_away: "bad", backend_away: "bad", clock_skewed: "bad", offline: "bad" };

/** The color of each model, the same everywhere, by its place in the catalog. */
export const inksOf = (catalog) => new Map((catalog?.models ?? []).map((model, place) => [model.id, INKS[place % INKS.length]]));

/** The state as an operator reads it: what is desired, where the server is not there yet. */
function stateOf(server) {
  if (!server.alive) return "offline";
  return server.desired === "cordoned" && server.state === "idle" ? "cordoned" : server.state;
}

export default function Servers({ query, me }) {
  const { data, error, reload } = useApi("/servers/v1", 2);
  const models = useApi("/models/v1", 60);
  const queue = useApi("/queue/v1", 5);
  const isOperator = me.granted.includes("servers:write");
  const inks = inksOf(models.data);
  return html`<div class="head"><h1>Servers</h1>${data && html`<span class="quiet">${data.servers.filter((one) => one.alive).length} of ${count(data.servers.length, "server")} alive</span>`}</div>
    <${ProblemNote} error=${error} retry=${reload} />
    ${!data && !error && html`<${Loading} />`}
    ${queue.data && html`<${Stuck} queue=${queue.data.models} />`}
    <${Hours} range=${query.get("range") ?? "1h"} me=${me} queue=${queue.data} />
    ${data?.servers.length === 0 && html`<${Empty} title="No server yet">${isOperator ? html`Start a worker on a machine with a GPU: <code>atelier worker gpu</code>. It shows up here by itself.` : "Ask your operator to start one."}<//>`}
    ${data?.servers.map((server) => html`<${Server} key=${server.server_id} ...${{ server, inks, isOperator, reload }} />`)}
    ${queue.data && html`<${Queue} queue=${queue.data.models} />`}
    ${data?.stored && html`<p class="quiet tiny">Stored: ${storedWords(data.stored)}.</p>`}`;
}

/** What is to be done about jobs that cannot run, by the reason that the queue gives. */
const NOWHERE = {
  server_offline: "the server that they ask for is offline; start it again",
  no_server_for_model: "no living server has it; start one that does",
  store_away: "the object store takes no results; the servers below say why, and go on by themselves",
  server_cordoned: "every server that has it is cordoned or draining; uncordon one",
};

/** Jobs that cannot run now, above all else. */
function Stuck({ queue }) {
  const stuck = queue.flatMap(({ model, reasons }) => Object.keys(NOWHERE).filter((code) => reasons[code]).map((code) => ({ model, code, number: reasons[code] })));
  if (!stuck.length) return null;
  return html`<${Note} kind="bad" title="Jobs cannot run">
    ${stuck.map(({ model, code, number }) => html`<span key=${model + code}>${count(number, "job")} of <code>${model}</code>: ${NOWHERE[code]}. </span>`)}
  <//>`;
}

export function Server({ server, inks, isOperator, reload }) {
  const state = stateOf(server);
  const order = (path, body, done) => attempt(async () => { await post(`/servers/v1/${encodeURIComponent(server.server_id)}/${path}`, body); reload(); }, done);
  const on = (where) => server.models.filter((model) => model.where === where);
  return html`<article class="server" aria-label=${server.server_id}>
    <div><h2 class="mono"><a href=${to(`/servers/${encodeURIComponent(server.server_id)}`)}>${server.server_id}</a></h2>
      <p class="tiny soft">${server.device}${server.dedicated ? ", dedicated" : ""}</p>
      <p><${State} kind=${STATES[state] ?? "off"}>${words(state)}<//></p>
      ${!server.alive && html`<p class="tiny quiet">last heard ${seconds(server.heartbeat_age_seconds)} ago</p>`}
      ${server.problem && html`<p class="field-error">${server.problem}</p>`}
      ${server.current_job && html`<p class="tiny"><a class="mono" href=${to(`/jobs/${server.current_job}`)}>${server.current_job.slice(0, 16)}…</a></p>`}
    </div>
    <div class="mem">
      <${Strip} models=${on("device")} total=${server.memory_total} used=${server.memory_used} inks=${inks} isGone=${!server.alive} />
      ${on("host").length > 0 && html`<${Strip} models=${on("host")} total=${server.memory_total} inks=${inks} isThin />`}
      <ul class="key">
        ${server.models.map((model) => html`<li key=${model.id + model.where} class=${`k-${inks.get(model.id) ?? "f"} ${model.where === "host" ? "host" : ""}`}>${model.id} <b class="num">${gib(model.bytes)}</b>${model.where === "host" ? " in host memory" : ""}${model.pinned ? ", pinned" : ""}</li>`)}
        ${server.models.length === 0 && html`<li class="none">No model in memory</li>`}
      </ul>
      <p class="tiny quiet">${gib(server.memory_used)} of ${gib(server.memory_total)}; serves ${count(server.serves.length, "model")}</p>
      ${server.models.flatMap((model) => model.warnings.map((text) => html`<p key=${model.id + text} class="tiny field-error">${model.id}: ${text}</p>`))}
    </div>
    ${isOperator && html`<${Orders} ...${{ server, order, reload }} />`}
  </article>`;
}

/** Memory to scale: a block for each model. */
function Strip({ models, total, used = 0, inks, isThin = false, isGone = false }) {
  const share = (size) => `${Math.min(100, (100 * size) / Math.max(total, 1))}%`;
  const known = models.reduce((sum, model) => sum + model.bytes, 0);
  const words_ = models.map((model) => `${model.id} ${gib(model.bytes)}`).join(", ") || "empty";
  return html`<div class=${`strip ${isThin ? "thin" : ""} ${isGone ? "gone" : ""}`} role="img" aria-label=${`${isThin ? "Host memory" : "Memory of the device"}: ${words_}, of ${gib(total)}`}>
    ${models.map((model) => html`<i key=${model.id} class=${`k-${inks.get(model.id) ?? "f"} ${isThin ? "host" : ""}`} style=${{ width: share(model.bytes) }}></i>`)}
    ${used > known && html`<i class="other" style=${{ width: share(used - known) }}></i>`}
  </div>`;
}

function Orders({ server, order, reload }) {
  const isTaking = server.desired === "active";
  const effect = server.busy ? "The running job ends first; none is taken after it." : "It takes no more jobs.";
  const sure = async (title, text, act) => confirm({ title, text, act });
  const drain = async () => (await sure(`Drain ${server.server_id}?`, `${effect} Jobs that require this server wait.`, "Drain")) && order("drain", undefined, "Draining");
  const recycle = async () => (await sure(`New engine on ${server.server_id}?`, "After the running job the engine is replaced; its models are loaded again when they are needed.", "Recycle")) && order("recycle", undefined, "Taken");
  const preload = async () => {
    const chosen = await openDialog((close) => html`<${AskModel} ...${{ close, server }} />`, "Preload");
    if (chosen) order("preload", chosen, `Loads ${chosen.model}`);
  };
  const unload = async () => {
    const chosen = await openDialog((close) => html`<${AskUnload} ...${{ close, server }} />`, "Unload");
    if (chosen) order("unload", chosen, "Unloads");
  };
  const remove = async () => {
    const isSure = await confirm({ title: `Remove ${server.server_id}?`, text: "It is gone from the list, and its jobs are taken by others. A worker of this name may come back.", act: "Remove", typed: server.server_id });
    if (isSure) attempt(async () => { await call("DELETE", `/servers/v1/${encodeURIComponent(server.server_id)}`); reload(); }, "Removed");
  };
  return html`<div class="ops">
    ${isTaking ? html`<button class="btn sm" onClick=${drain}>Drain</button><button class="btn sm" onClick=${() => order("cordon", undefined, "Cordoned")}>Cordon</button>` : html`<button class="btn sm" onClick=${() => order("uncordon", undefined, "Takes jobs again")}>Uncordon</button>`}
    ${server.alive && html`<button class="btn sm" onClick=${preload}>Preload…</button><button class="btn sm" disabled=${!server.models.length} onClick=${unload}>Unload…</button><button class="btn sm" onClick=${recycle}>Recycle</button>`}
    ${!server.alive && html`<button class="btn sm" onClick=${remove}>Remove…</button>`}
  </div>`;
}

function AskModel({ close, server }) {
  const [model, setModel] = useState(server.serves[0] ?? "");
  const [isPinned, setPinned] = useState(false);
  const isThere = server.resident.includes(model);
  return html`<form class="question" onSubmit=${(event) => { event.preventDefault(); close({ model, pin: isPinned }); }}>
    <h2>Load a model on ${server.server_id}</h2>
    <label class="stack">Model<select class="in" value=${model} onChange=${(event) => setModel(event.target.value)}>${server.serves.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
    <label class="switch"><input type="checkbox" checked=${isPinned} onChange=${(event) => setPinned(event.target.checked)} />Keep it until it is unloaded by name</label>
    <p class="soft">${isThere ? "It is in memory already." : "Models that were used least may leave the device for it, after the running job."}</p>
    <div class="acts"><button type="button" class="btn" onClick=${() => close(null)}>Cancel</button><button class="btn strong" disabled=${!model}>Load</button></div>
  </form>`;
}

function AskUnload({ close, server }) {
  const [model, setModel] = useState("");
  const ids = [...new Set(server.models.map((one) => one.id))];
  return html`<form class="question" onSubmit=${(event) => { event.preventDefault(); close(model ? { model } : {}); }}>
    <h2>Unload on ${server.server_id}</h2>
    <label class="stack">Model<select class="in" value=${model} onChange=${(event) => setModel(event.target.value)}><option value="">all of them</option>${ids.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
    <p class="soft">It is loaded again when a job needs it.</p>
    <div class="acts"><button type="button" class="btn" onClick=${() => close(null)}>Cancel</button><button class="btn strong">Unload</button></div>
  </form>`;
}

function Queue({ queue }) {
  if (!queue.length) return html`<section class="sect"><div class="sec"><h2>Queue</h2></div><p class="quiet">Nothing waits, nothing runs.</p></section>`;
  return html`<section class="sect"><div class="sec"><h2>Queue by model</h2></div><div class="scroll" tabindex="0" role="region" aria-label="Queue by model"><table>
    <thead><tr><th>Model</th><th class="r">Waiting</th><th class="r">Running</th><th class="r">Oldest</th><th>Why</th></tr></thead>
    <tbody>${queue.map((one) => html`<tr key=${one.model}><td><a class="mono" href=${to(`/jobs?state=queued&q=${encodeURIComponent(`model:${one.model}`)}`)}>${one.model}</a></td>
      <td class="r num">${one.waiting}</td><td class="r num">${one.running}</td><td class="r num">${one.oldest_seconds === null ? "" : seconds(one.oldest_seconds)}</td>
      <td>${Object.entries(one.reasons).map(([code, number]) => `${words(code).toLowerCase()} ${number}`).join(", ")}</td></tr>`)}</tbody>
  </table></div></section>`;
}

/** The last hours, of the roll-ups: what ended, and how long it had waited. */
function Hours({ range, me, queue }) {
  const [, length, step] = RANGES[range] ?? RANGES["1h"];
  const size = step === "5m" ? 300_000 : 3_600_000;
  const until = Math.ceil(Date.now() / size) * size;
  const tenant = me.granted.includes("tenants:read") ? "*" : undefined;
  const path = (more) => `/usage/v1${queryOf({ from: new Date(until - length * 1000).toISOString(), to: new Date(until).toISOString(), step, tenant, ...more })}`;
  const rows = useApi(path({}), 30);
  const whole = useApi(path({ step: "all" }), 30);
  const found = new Map((rows.data?.usage ?? []).map((row) => [new Date(row.since).getTime(), row]));
  const points = Array.from({ length: (length * 1000) / size }, (_, place) => {
    const at = until - length * 1000 + place * size;
    const row = found.get(at);
    return { at, completed: row?.completed ?? 0, failed: row?.failed ?? 0, p50: row?.wait_p50_seconds ?? null, p95: row?.wait_p95_seconds ?? null };
  });
  const all = whole.data?.usage[0];
  const waiting = queue?.models.reduce((sum, one) => sum + one.waiting, 0);
  const oldest = Math.max(0, ...(queue?.models ?? []).map((one) => one.oldest_seconds ?? 0));
  const clock = (at) => new Date(at).toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hour12: false, ...(length > 86_400 ? { weekday: "short" } : {}) });
  return html`<div class="sec"><h2>The last ${RANGES[range]?.[0] ?? "hour"}</h2><div class="chips" role="group" aria-label="Range">
      ${Object.entries(RANGES).map(([name, [title]]) => html`<button key=${name} class="chip sm" aria-pressed=${name === range} onClick=${() => setQuery({ range: name })}>${name === "1h" ? "1 hour" : title}</button>`)}</div></div>
    <div class="tiles">
      <div class="tile"><span class="soft">Ended</span><b>${all ? all.completed + all.failed + all.cancelled : 0}</b><span class="quiet">${all?.failed ? `${all.failed} failed` : "none failed"}</span></div>
      <div class="tile"><span class="soft">On the devices</span><b>${seconds(all?.gpu_seconds ?? 0) || "0 s"}</b><span class="quiet">loading ${seconds(all?.load_seconds ?? 0) || "0 s"}</span></div>
      <div class="tile"><span class="soft">Median wait</span><b>${all?.wait_p50_seconds === null || !all ? "none" : secondsBound(all.wait_p50_seconds)}</b><span class="quiet">${all?.wait_p95_seconds ? `95 % within ${seconds(all.wait_p95_seconds)}` : ""}</span></div>
      <div class="tile"><span class="soft">Waiting</span><b>${waiting ?? 0}</b><span class="quiet">${oldest ? `oldest ${seconds(oldest)}` : "nothing waits"}</span></div>
    </div>
    <div class="charts">
      <${Chart} title="Jobs ended" points=${points} series=${[{ name: "completed", title: "completed", ink: "a", kind: "bar" }, { name: "failed", title: "failed", ink: "b", kind: "bar" }]} timeWords=${clock} />
      <${Chart} title="Wait" points=${points} series=${[{ name: "p50", title: "median, at most", ink: "c", kind: "line" }, { name: "p95", title: "95 %, at most", ink: "d", kind: "line" }]} words=${(value) => seconds(value) || "0 s"} timeWords=${clock} />
    </div>`;
}
