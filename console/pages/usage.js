/** Usage: jobs, time on devices and cost by day, and by model, key or server; as a chart, a table and CSV. */
import { html } from "../html.js";
import { query as queryOf, root, useApi } from "../api.js";
import { setQuery } from "../router.js";
import { Empty, Loading, ProblemNote } from "../parts/state.js";
import { Chart } from "../parts/chart.js";
import { Icon } from "../parts/icons.js";
import { date, dollars, number, seconds, secondsBound } from "../format.js";

const DAY = 86_400_000;
const SPANS = { 7: "7 days", 30: "30 days", 90: "90 days" };
const BY = { model: "Model", key: "Key", server: "Server" };

export default function Usage({ query, me }) {
  const days = SPANS[query.get("days")] ? Number(query.get("days")) : 30;
  const by = BY[query.get("by")] ? query.get("by") : "model";
  const until = Math.ceil(Date.now() / DAY) * DAY;
  const range = { from: new Date(until - days * DAY).toISOString(), to: new Date(until).toISOString() };
  const daily = useApi(`/usage/v1${queryOf({ ...range, step: "1d" })}`, 60);
  const parts = useApi(`/usage/v1${queryOf({ ...range, step: "all", by })}`, 60);
  const found = new Map((daily.data?.usage ?? []).map((row) => [new Date(row.since).getTime(), row]));
  const points = Array.from({ length: days }, (_, place) => {
    const at = until - (days - place) * DAY;
    return { at, completed: found.get(at)?.completed ?? 0, failed: found.get(at)?.failed ?? 0, gpu: found.get(at)?.gpu_seconds ?? 0 };
  });
  const error = daily.error ?? parts.error;
  const rows = parts.data?.usage ?? [];
  const sum = (name) => rows.reduce((total, row) => total + row[name], 0);
  return html`<div class="head"><h1>Usage</h1><span class="quiet">of <b>${me.tenant}</b></span>
      <div class="acts"><a class="btn" href=${`${root}/usage/v1${queryOf({ ...range, step: "1d", by, format: "csv" })}`} download="usage.csv"><${Icon} name="down" />CSV</a></div></div>
    <div class="filters"><div class="chips" role="group" aria-label="Time">${Object.entries(SPANS).map(([value, title]) => html`<button key=${value} class="chip" aria-pressed=${Number(value) === days} onClick=${() => setQuery({ days: value })}>${title}</button>`)}</div>
      <div class="chips" role="group" aria-label="By">${Object.entries(BY).map(([value, title]) => html`<button key=${value} class="chip" aria-pressed=${value === by} onClick=${() => setQuery({ by: value })}>${title}</button>`)}</div></div>
    <${ProblemNote} error=${error} retry=${daily.reload} />
    ${!daily.data && !error && html`<${Loading} />`}
    <div class="tiles">
      <div class="tile"><span class="soft">Completed</span><b>${number(sum("completed"))}</b><span class="quiet">${number(sum("failed"))} failed, ${number(sum("cancelled"))} cancelled</span></div>
      <div class="tile"><span class="soft">On the devices</span><b>${seconds(sum("gpu_seconds")) || "0 s"}</b><span class="quiet">loading ${seconds(sum("load_seconds")) || "0 s"}</span></div>
      <div class="tile"><span class="soft">Cost</span><b>${dollars(sum("cost_usd"))}</b><span class="quiet">${number(Math.round(sum("credits") * 100) / 100)} credits</span></div>
      <div class="tile"><span class="soft">Budget</span><b>${me.budget_usd === null ? "none" : dollars(me.budget_usd)}</b><span class="quiet">${me.balance_remaining_usd === null ? "spending is not bounded" : `${dollars(me.balance_remaining_usd)} left`}</span></div>
    </div>
    <div class="charts"><${Chart} title="Jobs a day" points=${points} series=${[{ name: "completed", title: "completed", ink: "a", kind: "bar" }, { name: "failed", title: "failed", ink: "b", kind: "bar" }]} timeWords=${date} />
      <${Chart} title="Time on the devices" points=${points} series=${[{ name: "gpu", title: "computing", ink: "c", kind: "bar" }]} words=${(value) => seconds(value) || "0 s"} timeWords=${date} /></div>
    ${parts.data && rows.length === 0 && html`<${Empty} title="Nothing has ended in this time">Choose a longer one, or make something.<//>`}
    ${rows.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label=${`Usage by ${by}`}><table><thead><tr><th>${BY[by]}</th><th class="r">Completed</th><th class="r">Failed</th><th class="r hide-s">On the device</th><th class="r hide-s">Median run</th><th class="r hide-s">Median wait</th><th class="r">Cost</th></tr></thead>
      <tbody>${rows.map((row) => { const name = row.model ?? row.key_id ?? row.server_id; return html`<tr key=${name}><td class="mono">${name || "none"}</td><td class="r num">${number(row.completed)}</td><td class="r num">${number(row.failed)}</td><td class="r num hide-s">${seconds(row.gpu_seconds) || "0 s"}</td><td class="r num hide-s">${secondsBound(row.run_p50_seconds)}</td><td class="r num hide-s">${secondsBound(row.wait_p50_seconds)}</td><td class="r num">${dollars(row.cost_usd)}</td></tr>`; })}</tbody></table></div>`}`;
}
