/** The library: everything that was made or brought, as a grid; found by words, kind, tags and labels. */
import { html, useRef, useState } from "../html.js";
import { call, local, post, query as queryOf } from "../api.js";
import { navigate, setQuery, to } from "../router.js";
import { Empty, Loading, Note, ProblemNote, State } from "../parts/state.js";
import { Thumb, kindOf } from "../parts/media.js";
import { Icon } from "../parts/icons.js";
import { confirm, openDialog, toast } from "../parts/dialog.js";
import { forEach, useSelection } from "../parts/bulk.js";
import { usePages } from "../parts/paging.js";
import { useKeys } from "../parts/keys.js";
import { ago, bytes, count, date, seconds } from "../format.js";

const PAGE = 60;
const KINDS = [["", "All"], ["image", "Images"], ["video", "Videos"], ["audio", "Sound"], ["mesh", "Meshes"], ["document", "Documents"]];
const SORTS = { newest: "Newest", oldest: "Oldest", updated: "Changed last" };

/** Words, and the qualifiers among them: `mug tag:spring label:shop:eu`. */
export function readSearch(text) {
  const found = { words: [], tag: [], label: [] };
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const [name, ...rest] = word.split(":");
    if (rest.length && (name === "tag" || name === "label")) found[name].push(rest.join(":"));
    else found.words.push(word);
  }
  return found;
}

export default function Library({ query, me }) {
  const [kind, text, sort, similar] = ["kind", "q", "sort", "similar_to"].map((name) => query.get(name) ?? "");
  const search = readSearch(text);
  const near = text.startsWith("like:") ? text.slice(5).trim() : "";
  const words = search.words.join(" ");
  const isMixed = words && (search.tag.length > 0 || search.label.length > 0);
  const path = similar || near ? `/media/v1/search${queryOf({ similar_to: similar, near: similar ? "" : near, kind, limit: PAGE })}` : isMixed ? null : words
    ? `/media/v1/search${queryOf({ q: words, kind, limit: PAGE })}`
    : `/media/v1${queryOf({ kind, tag: search.tag, label: search.label, sort, temporary: query.get("temporary"), limit: PAGE })}`;
  const { items, error, isReady, isLoading, next, more, reload } = usePages(path, (data) => data.media ?? data.results.map((one) => one.media), (item) => item.media_id, 15);
  const { selected, toggle, clear } = useSelection(path);
  const field = useRef(null);
  useKeys({ "/": () => field.current.focus(), Escape: clear });
  const find = (event) => {
    event.preventDefault();
    setQuery({ q: field.current.value.trim(), similar_to: "" }, { replace: false });
  };
  return html`<div class="head"><h1>Library</h1><span class="quiet">of <b>${me.tenant}</b></span>
      <div class="acts">${me.granted.includes("media:write") && html`<${Bring} done=${reload} />`}</div></div>
    <div class="filters">
      <div class="chips" role="group" aria-label="Kind">
        ${KINDS.map(([name, title]) => html`<button key=${name} class="chip" aria-pressed=${name === kind} onClick=${() => setQuery({ kind: name }, { replace: false })}>${title}</button>`)}
      </div>
      <form role="search" class="search" onSubmit=${find}>
        <input ref=${field} key=${text} class="in" type="search" aria-label="Search the library" placeholder="words, like:… or tag:… label:key:value" defaultValue=${text} />
        <select class="in" aria-label="Order" value=${sort || "newest"} disabled=${Boolean(words)} onChange=${(event) => setQuery({ sort: event.target.value })}>
          ${Object.entries(SORTS).map(([name, title]) => html`<option key=${name} value=${name} selected=${name === (sort || "newest")}>${title}</option>`)}
        </select>
        <label class="switch"><input type="checkbox" checked=${query.get("temporary") === "true"} disabled=${Boolean(words)} onChange=${(event) => setQuery({ temporary: event.target.checked ? "true" : "" })} />Temporary</label>
      </form>
    </div>
    ${similar && html`<p class="soft">Like <a class="mono" href=${to(`/library/${similar}`)}>${similar}</a></p>`}
    ${isMixed && !near && !similar && html`<${Note} kind="wait" title="One or the other">Words are searched everywhere; tags and labels filter the list. Use words alone, or <code>tag:</code> and <code>label:</code>.<//>`}
    <${ProblemNote} error=${error} retry=${reload} />
    ${selected.size > 0 && html`<${Bulk} ...${{ me, items: items.filter((item) => selected.has(item.media_id)) }} done=${() => { clear(); reload(); }} />`}
    ${path && !isReady && !error && html`<${Loading} />`}
    ${isReady && items.length === 0 && html`<${Empty} title=${text || kind ? "Nothing is like this" : "The library is empty"}>
      ${text || kind ? html`<button class="btn" onClick=${() => navigate("/library")}>Show everything</button>` : html`<a href=${to("/make")}>Make something</a>, or bring a file: it is kept here.`}
    <//>`}
    <ul class="grid">${items.map((item) => html`<${Tile} key=${item.media_id} ...${{ item, toggle }} isSelected=${selected.has(item.media_id)} />`)}</ul>
    ${items.length > 0 && html`<p class="more"><span class="quiet">${count(items.length, "item")} shown</span>${next && html`<button class="btn" disabled=${isLoading} onClick=${more}>More</button>`}</p>`}`;
}

export const titleOf = (item) => item.prompt || item.description || item.filename;

/** How long an item is kept, in words. */
export const keptWords = (item) => (item.expires_at ? `Kept until ${date(item.expires_at)}` : "Kept until it is deleted");

function Tile({ item, isSelected, toggle }) {
  const facts = [item.width ? `${item.width}×${item.height}` : "", item.duration_seconds ? seconds(item.duration_seconds) : "", item.bytes ? bytes(item.bytes) : ""].filter(Boolean).join(", ");
  return html`<li class=${isSelected ? "sel" : ""}>
    <a class="thumb" href=${to(`/library/${item.media_id}`)} aria-label=${`${item.status === "ready" ? kindOf(item.media_type) : item.status}: ${titleOf(item)}`} draggable onDragStart=${(event) => event.dataTransfer.setData("application/x-atelier", JSON.stringify({ id: item.media_id, name: item.filename, url: local(item.thumbnail_url) ?? "" }))}>
      ${item.status === "ready" ? html`<${Thumb} output=${item} />` : html`<${State} kind=${item.status === "failed" ? "bad" : "wait"}>${item.status}<//>`}
    </a>
    <div class="tile-line"><input type="checkbox" aria-label=${`Select ${titleOf(item)}`} checked=${isSelected} onChange=${() => toggle(item.media_id)} />
      <span class="clip-text" title=${titleOf(item)} dir="auto">${titleOf(item)}</span></div>
    <p class="tiny quiet">${[kindOf(item.media_type), facts, ago(item.created_at)].filter(Boolean).join(" · ")}</p>
    ${(item.tags.length > 0 || item.public_url || item.expires_at) && html`<p>${item.public_url && html`<span class="tag">public</span> `}${item.expires_at && html`<span class="tag">until ${date(item.expires_at)}</span> `}${item.tags.map((tag) => html`<a key=${tag} class="tag" href=${to(`/library?q=${encodeURIComponent(`tag:${tag}`)}`)}>${tag}</a> `)}</p>`}
  </li>`;
}

/** Bring files to the library. */
function Bring({ done }) {
  const input = useRef(null);
  const [progress, setProgress] = useState("");
  const take = async (files) => {
    const chosen = [...files];
    const brought = await forEach(chosen, (file) => {
      const form = new FormData();
      form.append("file", file);
      return call("POST", "/media/v1", form);
    }, setProgress);
    if (brought) toast(`${count(brought, "file")} brought`);
    done();
  };
  return html`<button class="btn" disabled=${progress !== ""} onClick=${() => input.current.click()}><${Icon} name="library" />${progress || "Bring files"}</button>
    <input ref=${input} type="file" multiple class="sr" tabindex="-1" aria-hidden="true" onChange=${(event) => { take(event.target.files); event.target.value = ""; }} />`;
}

function Bulk({ items, me, done }) {
  const [progress, setProgress] = useState("");
  if (!me.granted.includes("media:write")) return html`<${Note} kind="run" title=${`${items.length} selected`}>This key may only look.<//>`;
  const each = async (action, words) => {
    const worked = await forEach(items, action, setProgress);
    if (worked) toast(`${count(worked, "item")} ${words}`);
    done();
  };
  const tag = async () => {
    const given = await openDialog((close) => html`<${AskTag} close=${close} />`, "Tag");
    if (given) each((item) => call("PATCH", `/media/v1/${item.media_id}`, { tags: [...new Set([...item.tags, given])] }), "tagged");
  };
  const remove = async () => {
    if (await confirm({ title: `Delete ${count(items.length, "item")}?`, text: "Their files and links are removed for good.", act: "Delete" })) each((item) => call("DELETE", `/media/v1/${item.media_id}`), "deleted");
  };
  return html`<div class="bulk"><${Note} kind="run" title=${`${items.length} selected`} action=${html`<span class="acts">
      <button class="btn sm" disabled=${progress !== ""} onClick=${tag}>Tag…</button>
      <button class="btn sm" disabled=${progress !== ""} onClick=${() => each((item) => post(`/media/v1/${item.media_id}/publish`), "published")}>Publish</button>
      <button class="btn sm" disabled=${progress !== ""} onClick=${() => each((item) => post(`/media/v1/${item.media_id}/archive`), "archived")}>Archive</button>
      <button class="btn sm" disabled=${progress !== ""} onClick=${remove}>Delete…</button></span>`}>${progress}<//></div>`;
}

function AskTag({ close }) {
  const [tag, setTag] = useState("");
  return html`<form class="question" onSubmit=${(event) => { event.preventDefault(); close(tag.trim()); }}>
    <h2>Add a tag</h2><label>Tag<input class="in" autofocus required value=${tag} onInput=${(event) => setTag(event.target.value)} /></label>
    <div class="acts"><button type="button" class="btn" onClick=${() => close(null)}>Cancel</button><button class="btn strong">Add</button></div>
  </form>`;
}
