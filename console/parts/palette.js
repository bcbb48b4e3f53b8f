/** The palette (Ctrl K): pages by name, models to make with, and a job, an item or a chain by its id; and the list of keys. */
import { html, useState } from "../html.js";
import { get } from "../api.js";
import { navigate } from "../router.js";
import { openDialog } from "./dialog.js";
import { areKeysOff, switchKeys } from "./keys.js";

const MOST = 8;
/** The page of what an id names, by its prefix. */
const PAGE_OF = { job: "jobs", med: "library", chn: "chains" };

/** Open the palette; `pages` are those of the rail. */
export async function openPalette(pages) {
  const { models } = await get("/models/v1").catch(() => ({ models: [] }));
  const places = [
    ...pages.map((page) => ({ name: page.name, hint: "page", path: page.href })),
    ...models.map((model) => ({ name: model.title, hint: model.id, path: `/make/${model.modality}?model=${encodeURIComponent(model.id)}` })),
  ];
  const path = await openDialog((close) => html`<${Palette} ...${{ places, close }} />`, "Commands");
  if (path) navigate(path);
}

function Palette({ places, close }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const given = text.trim().toLowerCase();
  const [, prefix] = /^(job|med|chn)_[0-9a-f]+$/.exec(given) ?? [];
  const byId = prefix && `/${PAGE_OF[prefix]}/${given}`;
  const found = byId ? [{ name: `Open ${given}`, hint: "", path: byId }] : places.filter((one) => `${one.name} ${one.hint}`.toLowerCase().includes(given)).slice(0, MOST);
  const keys = (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) {
      event.preventDefault();
      setAt((known) => Math.max(0, Math.min(found.length - 1, known + move)));
    } else if (event.key === "Enter" && found[at]) {
      event.preventDefault();
      close(found[at].path);
    }
  };
  return html`<div class="palette">
    <input class="in" role="combobox" aria-expanded="true" aria-controls="palette" aria-activedescendant=${found[at] ? `palette-${at}` : undefined} aria-label="Go to" autofocus placeholder="A page, a model, or job_…" value=${text} onInput=${(event) => { setText(event.target.value); setAt(0); }} onKeyDown=${keys} />
    <ul id="palette" role="listbox" aria-label="Places">${found.map((one, place) => html`<li key=${one.path} id=${`palette-${place}`} role="option" aria-selected=${place === at} onClick=${() => close(one.path)}><b>${one.name}</b> <span class="quiet mono">${one.hint}</span></li>`)}</ul>
    ${found.length === 0 && html`<p class="quiet">Nothing is called so.</p>`}
  </div>`;
}

/** Show the keys; single ones can be switched off, for voice control and for who does not want them. */
export function openKeys(pages) {
  const keys = [["Ctrl K", "go to a page, a model, a job"], ["Ctrl ↵", "send the form"], ["/", "the filter"], ["j k", "down, up"], ["↵ x Esc", "open, select, select none"], [", .", "one frame of a film"], ...pages.map((page) => [`g ${page.key}`, page.name]), ["?", "this list"]];
  return openDialog((close) => html`<div class="question"><h2>Keys</h2><dl class="facts">${keys.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
    <label class="switch"><input type="checkbox" checked=${areKeysOff()} onChange=${(event) => switchKeys(event.target.checked)} />No single keys</label>
    <div class="acts"><button class="btn strong" autofocus onClick=${() => close(null)}>Close</button></div></div>`, "Keys");
}
