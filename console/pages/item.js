/** An item of the library: looked at, described, tagged, linked, published, used, deleted. */
import { html, useState } from "../html.js";
import { call, local, post, useApi } from "../api.js";
import { navigate, to } from "../router.js";
import { Loading, Note, ProblemNote, State } from "../parts/state.js";
import { Viewer, kindOf, outputWords } from "../parts/media.js";
import { Icon } from "../parts/icons.js";
import { attempt, confirm, copy } from "../parts/dialog.js";
import { changedWords, moment, wordsOf } from "../format.js";
import { useModalities } from "../parts/document.js";
import { usesOf } from "../make/fields.js";
import { keptWords, titleOf } from "./library.js";

export default function Item({ id, me }) {
  const { data: item, error, reload } = useApi(`/media/v1/${id}`, (found) => (found?.status === "waiting" ? 1 : 0));
  if (error?.status === 404) return html`<div class="head"><h1>Item</h1></div><div class="empty"><h2>There is no such item</h2><p>It was deleted, or is another tenant's. <a href=${to("/library")}>The library</a></p></div>`;
  if (error && !item) return html`<div class="head"><h1>Item</h1></div><${ProblemNote} error=${error} retry=${reload} />`;
  if (!item) return html`<div class="head"><h1>Item</h1></div><${Loading} />`;
  const isWriter = me.granted.includes("media:write");
  return html`<div class="head"><h1 class="clip-text" dir="auto" title=${titleOf(item)}>${titleOf(item)}</h1>
      <div class="acts">${isWriter && html`<${Acts} item=${item} reload=${reload} />`}</div></div>
    <div class="cols">
      <div class="side one">
        ${item.status === "failed" && html`<${Note} kind="bad" title="Not there">${item.problem?.message}<//>`}
        ${item.status === "waiting" && html`<${Note} kind="wait" title="Not there yet">The service waits for the file, or looks at it.<//>`}
        ${item.status === "ready" && html`<section class="result"><${Viewer} output=${item} title=${titleOf(item)} />
          <p class="quiet tiny facts-line">${outputWords(item)}</p>
          <div class="acts"><a class="btn" href=${local(item.url)} download=${item.filename}><${Icon} name="down" />Download</a>${["image", "video"].includes(item.kind) && html`<a class="btn" href=${to(`/library?similar_to=${item.media_id}`)}>Similar</a>`}<${UseItem} item=${item} /></div></section>`}
      </div>
      <div class="side one">
        <section><div class="sec"><h2>Facts</h2></div><dl class="facts">
          <dt>File</dt><dd>${item.filename}</dd>
          <dt>Made</dt><dd><time datetime=${item.created_at}>${moment(item.created_at)}</time></dd>
          <dt>Retention</dt><dd>${keptWords(item)}</dd>
          ${item.job_id && html`<dt>Job</dt><dd><a class="mono" href=${to(`/jobs/${item.job_id}`)}>${item.job_id}</a></dd>`}
          ${item.model && html`<dt>Model</dt><dd class="mono">${item.model}</dd>`}
          ${item.seed !== null && html`<dt>Seed</dt><dd class="num">${item.seed}</dd>`}
          <dt>Item</dt><dd class="mono">${item.media_id}</dd>
          ${item.sha256 && html`<dt>SHA-256</dt><dd class="mono">${item.sha256}</dd>`}
          ${item.archived_at && html`<dt>Archived</dt><dd>${moment(item.archived_at)}: lists leave it out</dd>`}
        </dl></section>
        ${item.prompt && html`<section><div class="sec"><h2>Prompt</h2></div><p class="prompt" dir="auto">${item.prompt}</p></section>`}
        <${Words} key=${item.updated_at} ...${{ item, reload, isWriter }} />
        <${PublicLink} ...${{ item, reload, isWriter }} />
      </div>
    </div>`;
}

function Acts({ item, reload }) {
  const archive = () => attempt(async () => { await post(`/media/v1/${item.media_id}/archive`); reload(); }, "Archived");
  const remove = async () => {
    const isSure = await confirm({ title: "Delete this item?", text: "Its file and its links are removed for good. The job that made it stays.", act: "Delete" });
    if (isSure && (await attempt(() => call("DELETE", `/media/v1/${item.media_id}`), "Deleted"))) navigate("/library");
  };
  return html`${!item.archived_at && html`<button class="btn" onClick=${archive}>Archive</button>`}<button class="btn" onClick=${remove}><${Icon} name="trash" />Delete</button>`;
}

function UseItem({ item }) {
  const { modalities } = useModalities();
  const uses = usesOf(modalities ?? [], kindOf(item.media_type));
  if (!uses.length) return null;
  return html`<label class="inline"><span class="sr">Use as</span><select class="in" value="" onChange=${(event) => event.target.value && navigate(`/make/${event.target.value}=${item.media_id}`)}>
    <option value="">Use as…</option>
    ${uses.map(({ modality, field }) => html`<option key=${modality.name + field.name} value=${`${modality.name}?${field.name}`}>${modality.title}: ${field.label.toLowerCase()}</option>`)}
  </select></label>`;
}

/** Description, tags and labels, which can be changed. */
function Words({ item, reload, isWriter }) {
  const [began] = useState(wordsOf(item));
  const [values, setValues] = useState(began);
  const save = (event) => {
    event.preventDefault();
    attempt(async () => {
      await call("PATCH", `/media/v1/${item.media_id}`, changedWords(began, values));
      reload();
    }, "Saved");
  };
  const line = (name, label, hint) => html`<div><label for=${`words-${name}`}>${label}</label><input id=${`words-${name}`} class="in" dir="auto" placeholder=${hint} readonly=${!isWriter} value=${values[name]} onInput=${(event) => setValues({ ...values, [name]: event.target.value })} /></div>`;
  return html`<section><div class="sec"><h2>Words</h2></div><form class="form" onSubmit=${save}>
    ${line("description", "Description", "what it shows")}${line("tags", "Tags", "mug, spring")}${line("labels", "Labels", "shop: eu")}
    ${isWriter && html`<div><button class="btn">Save</button></div>`}
  </form></section>`;
}

function PublicLink({ item, reload, isWriter }) {
  const act = (name, done) => attempt(async () => { await post(`/media/v1/${item.media_id}/${name}`); reload(); }, done);
  return html`<section><div class="sec"><h2>Public link</h2>${item.public_url ? html`<${State} kind="ok">public<//>` : html`<${State} kind="off">private<//>`}</div>
    ${item.public_url
      ? html`<p class="mono"><a href=${item.public_url}>${item.public_url}</a></p><div class="acts left"><button class="btn sm" onClick=${() => copy(item.public_url)}><${Icon} name="copy" />Copy</button>
          <a class="btn sm" href=${local(`${item.public_url}/view`)} target="_blank" rel="noopener">Its page</a>
          ${isWriter && html`<button class="btn sm" onClick=${() => act("unpublish", "Taken back")}>Take back</button>`}</div>`
      : html`<p class="soft">Anybody with a public link can see the file, without a key.</p>${isWriter && html`<button class="btn sm" onClick=${() => act("publish", "Published")}><${Icon} name="link" />Publish</button>`}`}
  </section>`;
}
