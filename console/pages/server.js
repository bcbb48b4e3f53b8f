/** A server: its memory, its orders, how busy it was and what ended on it in the last day, its versions and what it serves. */
import { html } from "../html.js";
import { query as queryOf, useApi } from "../api.js";
import { to } from "../router.js";
import { JobState, Loading, ProblemNote } from "../parts/state.js";
import { Chart } from "../parts/chart.js";
import { ago, count, moment, seconds } from "../format.js";
import { Server, inksOf } from "./servers.js";

const HOUR = 3_600_000;
const HOURS = 24;
const LAST_JOBS = 20;

export default function ServerPage({ id, me }) {
  const serverId = decodeURIComponent(id);
  const { data: server, error, reload } = useApi(`/servers/v1/${encodeURIComponent(serverId)}`, 2);
  const models = useApi("/models/v1", 60);
  if (error?.status === 404) return html`<div class="head"><h1>Server</h1></div><div class="empty"><h2>There is no such server</h2><p>It was removed, or has another name. <a href=${to("/servers")}>All servers</a></p></div>`;
  if (!server) return html`<div class="head"><h1>Server</h1></div>${error ? html`<${ProblemNote} error=${error} retry=${reload} />` : html`<${Loading} />`}`;
  return html`<div class="head"><h1 class="clip-text">${serverId}</h1><span class="quiet">started ${ago(server.started_at)}</span></div>
    <${ProblemNote} error=${error} retry=${reload} />
    <${Server} ...${{ server, reload, inks: inksOf(models.data), isOperator: me.granted.includes("servers:write") }} />
    <section class="sect"><${LastDay} ...${{ serverId, me }} /></section>
    <div class="cols">
      <div class="side one">${me.granted.includes("jobs:read") && html`<${Jobs} ...${{ serverId, me }} />`}</div>
      <div class="side one">
        <section><div class="sec"><h2>Serves</h2><span class="quiet">${count(server.serves.length, "model")}</span></div><p class="tags">${server.serves.map((one) => html`<a key=${one} class="tag mono" href=${to(`/jobs?q=${encodeURIComponent(`server:${serverId} model:${one}`)}`)}>${one}</a> `)}</p></section>
        <section><div class="sec"><h2>Facts</h2></div><dl class="facts">
          <dt>Device</dt><dd>${server.device}</dd>
          <dt>Takes</dt><dd>${server.dedicated ? "only jobs that ask for it" : "jobs of all"}</dd>
          <dt>Last heard</dt><dd class="num">${seconds(server.heartbeat_age_seconds)} ago</dd>
          ${Object.entries(server.versions).map(([name, version]) => html`<dt key=${`t${name}`}>${name}</dt><dd key=${name} class="mono">${version}</dd>`)}
        </dl></section>
      </div>
    </div>`;
}

/** The last day by the hour, of the roll-ups: of all tenants for those who may see them, else of one's own. */
function LastDay({ serverId, me }) {
  const until = Math.ceil(Date.now() / HOUR) * HOUR;
  const tenant = me.granted.includes("tenants:read") ? "*" : undefined;
  const range = { from: new Date(until - HOURS * HOUR).toISOString(), to: new Date(until).toISOString() };
  const { data } = useApi(me.granted.includes("usage:read") ? `/usage/v1${queryOf({ ...range, step: "1h", by: "server", tenant })}` : null, 30);
  if (!data) return null;
  const found = new Map(data.usage.filter((row) => row.server_id === serverId).map((row) => [new Date(row.since).getTime(), row]));
  const points = Array.from({ length: HOURS }, (_, place) => {
    const at = until - (HOURS - place) * HOUR;
    const row = found.get(at);
    return { at, completed: row?.completed ?? 0, failed: row?.failed ?? 0, computing: row?.gpu_seconds ?? 0, loading: row?.load_seconds ?? 0 };
  });
  const clock = (at) => new Date(at).toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hour12: false });
  return html`<div class="charts">
    <${Chart} title="Time on the device" points=${points} series=${[{ name: "computing", title: "computing", ink: "c", kind: "bar" }, { name: "loading", title: "loading", ink: "d", kind: "bar" }]} words=${(value) => seconds(value) || "0 s"} timeWords=${clock} />
    <${Chart} title="Jobs ended" points=${points} series=${[{ name: "completed", title: "completed", ink: "a", kind: "bar" }, { name: "failed", title: "failed", ink: "b", kind: "bar" }]} timeWords=${clock} />
  </div>`;
}

/** The tenant's own jobs of the last day on this server; what others made stays theirs. */
function Jobs({ serverId, me }) {
  const since = new Date(Math.floor(Date.now() / HOUR) * HOUR - HOURS * HOUR).toISOString();
  const { data, error } = useApi(`/jobs/v1${queryOf({ server_id: serverId, since, limit: LAST_JOBS })}`, 5);
  return html`<section><div class="sec"><h2>Jobs of the last day</h2><a href=${to(`/jobs?q=${encodeURIComponent(`server:${serverId} since:24h`)}`)}>All of ${me.tenant}</a></div>
    <${ProblemNote} error=${error} />
    ${data?.jobs.length === 0 && html`<p class="quiet">None of yours.</p>`}
    <ul class="events">${data?.jobs.map((job) => html`<li key=${job.job_id}><${JobState} job=${job} /><span class="clip-text"><a href=${to(`/jobs/${job.job_id}`)} dir="auto">${job.title ?? job.job_id}</a> <time class="quiet num" datetime=${job.created_at} title=${moment(job.created_at)}>${ago(job.created_at)}</time></span></li>`)}</ul>
  </section>`;
}
