/** Code in tabs, with a button that copies it. */
import { html, useState } from "../html.js";
import { Icon } from "./icons.js";
import { copy } from "./dialog.js";

export function Snippet({ texts }) {
  const names = Object.keys(texts);
  const [name, setName] = useState(names[0]);
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = names[(names.indexOf(name) + step + names.length) % names.length];
    setName(next);
    document.getElementById(`tab-${next}`).focus();
  };
  return html`<section class="code" aria-label="The request as code">
    <div class="tabs" role="tablist" aria-label="Language" onKeyDown=${move}>
      ${names.map((one) => html`<button key=${one} id=${`tab-${one}`} role="tab" aria-selected=${one === name} aria-controls="code" tabindex=${one === name ? 0 : -1} onClick=${() => setName(one)}>${one}</button>`)}
    </div>
    <button class="btn bare sm" onClick=${() => copy(texts[name])}><${Icon} name="copy" />Copy</button>
    <pre id="code" role="tabpanel" aria-labelledby=${`tab-${name}`} tabindex="0">${texts[name]}</pre>
  </section>`;
}
