/** A field for files: dropped, pasted, chosen, a link, or a result of a job. They are uploaded at once. */
import { html, useRef, useState } from "../html.js";
import { call } from "../api.js";
import { bytes } from "../format.js";
import { Icon } from "../parts/icons.js";

/** Upload a file; return its id. */
async function upload(file) {
  const form = new FormData();
  form.append("file", file);
  return (await call("POST", "/inputs/v1", form)).input_id;
}

/** `value` is a file or, with `many`, a list: each has an `id` once it is there, a `name`, and a `url` of a picture. `sources` are what it may be besides. */
export function DropField({ id, label, hint, value, onChange, many = false, most = 16, error, accept, note = "", sources = [] }) {
  const [isOver, setOver] = useState(false);
  const input = useRef(null);
  const items = many ? (value ?? []) : value ? [value] : [];
  const current = useRef(items);
  current.current = items;
  const put = (list) => {
    current.current = list;
    onChange(many ? list : (list[0] ?? null));
  };
  async function take(files) {
    for (const file of [...files].slice(0, many ? most - items.length : 1)) {
      const item = { name: file.name, bytes: file.size, url: file.type.startsWith("image/") ? URL.createObjectURL(file) : "", progress: "Uploading…" };
      put(many ? [...current.current, item] : [item]);
      try {
        const done = { ...item, id: await upload(file), progress: "" };
        put(current.current.map((one) => (one === item ? done : one)));
      } catch (problem) {
        put(current.current.map((one) => (one === item ? { ...item, progress: problem.message, isBad: true } : one)));
      }
    }
  }
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    const reference = event.dataTransfer.getData("application/x-atelier");
    if (reference) put(many ? [...items, JSON.parse(reference)] : [JSON.parse(reference)]);
    else take(event.dataTransfer.files);
  };
  const typed = (event) => {
    if (event.key !== "Enter" || !event.target.value.trim()) return;
    event.preventDefault();
    const text = event.target.value.trim();
    put(many ? [...items, { id: text, name: text }] : [{ id: text, name: text }]);
    event.target.value = "";
  };
  const choose = (chosen) => {
    const source = sources.find((one) => one.id === chosen);
    if (source) put(many ? [...items, source] : [source]);
  };
  const isFull = items.length >= (many ? most : 1);
  return html`<div>
    <label for=${id}>${label} <small>${hint}</small></label>
    ${items.length > 0 && html`<ul class="files">
      ${items.map((item, place) => html`<li key=${place}>
        ${item.url ? html`<img src=${item.url} alt="" />` : html`<span class="kind">file</span>`}
        <span class="clip-text">${sources.find((one) => item.row && one.row === item.row)?.name ?? item.name}<br /><small class=${item.isBad ? "field-error" : "quiet"}>${item.progress || (item.bytes ? bytes(item.bytes) : "ready")}</small></span>
        <button type="button" class="btn bare sm" aria-label=${`Remove ${item.name}`} onClick=${() => put(items.filter((one) => one !== item))}><${Icon} name="close" /></button>
      </li>`)}
    </ul>`}
    ${!isFull && html`<div class=${`drop ${isOver ? "over" : ""}`}
      onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)} onDrop=${drop}
      onPaste=${(event) => event.clipboardData.files.length && take(event.clipboardData.files)}>
      <span>Drop or paste a file, or <button type="button" class="linkish" onClick=${() => input.current.click()}>choose one</button></span>
      <input ref=${input} type="file" class="sr" tabindex="-1" aria-hidden="true" multiple=${many} accept=${accept} onChange=${(event) => { take(event.target.files); event.target.value = ""; }} />
      ${sources.length > 0 && html`<select class="in" aria-label=${`${label}: what a step makes`} value="" onChange=${(event) => choose(event.target.value)}>
        <option value="">or what a step makes…</option>
        ${sources.map((one) => html`<option key=${one.id} value=${one.id}>${one.name}</option>`)}
      </select>`}
      <input id=${id} class="in" type="text" aria-describedby=${`${id}-note`} aria-invalid=${error ? "true" : undefined} placeholder="or a link, an input_id, output:job_…/0" onKeyDown=${typed} onBlur=${(event) => typed({ key: "Enter", target: event.target, preventDefault() {} })} />
    </div>`}
    <p id=${`${id}-note`} class=${error ? "field-error" : "quiet tiny"} role=${error ? "alert" : undefined}>${error || note}</p>
  </div>`;
}
