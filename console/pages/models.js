/** Models: every entry of the catalog, what it can do, whether a server has it, and how fast it is here. */
import { html } from "../html.js";
import { query as queryOf, useApi } from "../api.js";
import { setQuery, to } from "../router.js";
import { Loading, ProblemNote, State } from "../parts/state.js";
import { bytes, dollars, seconds, secondsBound, words } from "../format.js";

export default function Models({ query, me }) {
  const { data, error, reload } = useApi("/models/v1", 30);
  const servers = useApi(me.granted.includes("servers:read") ? "/servers/v1" : null, 10);
  const usage = useApi(me.granted.includes("usage:read") ? `/usage/v1${queryOf({ step: "all", by: "model" })}` : null);
  const chosen = query.get("modality") ?? "";
  if (!data) return html`<div class="head"><h1>Models</h1></div>${error ? html`<${ProblemNote} error=${error} retry=${reload} />` : html`<${Loading} />`}`;
  const modalities = [...new Set(data.models.map((model) => model.modality))];
  const measured = new Map((usage.data?.usage ?? []).map((row) => [row.model, row]));
  const shown = data.models.filter((model) => !chosen || model.modality === chosen);
  return html`<div class="head"><h1>Models</h1><span class="quiet">${data.models.filter((one) => one.available).length} of ${data.models.length} can be made with now</span></div>
    <div class="filters"><div class="chips" role="group" aria-label="Modality">
      <button class="chip" aria-pressed=${!chosen} onClick=${() => setQuery({ modality: "" })}>All</button>
      ${modalities.map((name) => html`<button key=${name} class="chip" aria-pressed=${name === chosen} onClick=${() => setQuery({ modality: name })}>${words(name)}</button>`)}
    </div></div>
    <div class="scroll" tabindex="0" role="region" aria-label="Models"><table><thead><tr><th>Model</th><th>State</th><th class="hide-s">License</th><th class="r hide-s">Weights</th><th class="r hide-m">On the device</th><th class="r">Takes</th><th class="r hide-s">Price</th><th><span class="sr">Make</span></th></tr></thead>
      <tbody>${shown.map((model) => html`<${Model} key=${model.id} model=${model} row=${measured.get(model.id)} on=${(servers.data?.servers ?? []).filter((one) => one.alive && one.models.some((each) => each.id === model.id)).map((one) => one.server_id)} />`)}</tbody>
    </table></div>`;
}

function Model({ model, row, on }) {
  const took = row?.run_p50_seconds ?? null;
  return html`<tr>
    <td><b>${model.title}</b>${model.tier === "demo" ? html` <span class="tag">demo</span>` : ""}<br /><span class="mono quiet">${model.id}</span><br />
      <span class="tiny soft">${[words(model.modality), ...model.capabilities, model.languages.length ? `${model.languages.length} languages` : ""].filter(Boolean).join(", ")}</span></td>
    <td>${model.available ? html`<${State} kind="ok">${on.length ? "in memory" : "ready"}<//>` : html`<${State} kind="off">no server<//>`}<br /><span class="tiny quiet mono">${on.join(", ")}</span></td>
    <td class="hide-s"><a href=${model.licence.url} rel="noopener noreferrer" target="_blank">${model.licence.name}</a></td>
    <td class="r num hide-s">${model.disk_bytes_at_least ? `≥ ${bytes(model.disk_bytes_at_least)}` : model.disk_bytes ? bytes(model.disk_bytes) : ""}</td>
    <td class="r num hide-m">${model.vram_bytes ? bytes(model.vram_bytes) : ""}</td>
    <td class="r num">${took === null ? seconds(model.estimated_seconds) : secondsBound(took)}<br /><span class="tiny quiet">${took === null ? "not measured here" : `median of ${row.completed}`}</span></td>
    <td class="r num hide-s">${dollars(model.price_usd)}</td>
    <td><a class="btn sm" href=${to(`/make/${model.modality}?model=${encodeURIComponent(model.id)}`)}>Make</a></td>
  </tr>`;
}
