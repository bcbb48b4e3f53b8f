/** Questions before what cannot be undone, short notices, and copying. */
import { html, render, useEffect, useRef, useState } from "../html.js";

/** Show `content(close)` in a dialog; the promise has what it was closed with, null for Esc. */
export function openDialog(content, label) {
  return new Promise((resolve) => {
    const place = document.createElement("div");
    document.body.append(place);
    const close = (value) => {
      render(null, place);
      place.remove();
      resolve(value);
    };
    render(html`<${Dialog} close=${close} label=${label}>${content(close)}<//>`, place);
  });
}

function Dialog({ close, label, children }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} aria-label=${label} onClose=${() => close(null)}>${children}</dialog>`;
}

/**
 * Ask; true for yes. `typed` is a text that has to be typed first, for what is hard to repair.
 */
export function confirm({ title, text, act, typed = "" }) {
  return openDialog((close) => html`<${Question} ...${{ title, text, act, typed, close }} />`, title);
}

function Question({ title, text, act, typed, close }) {
  const [given, setGiven] = useState("");
  return html`<form
    class="question"
    onSubmit=${(event) => {
      event.preventDefault();
      close(true);
    }}
  >
    <h2>${title}</h2>
    <p>${text}</p>
    ${typed && html`<label>Type <code>${typed}</code> to confirm
      <input class="in mono" autofocus value=${given} onInput=${(event) => setGiven(event.target.value)} /></label>`}
    <div class="acts">
      <button type="button" class="btn" autofocus=${!typed} onClick=${() => close(null)}>Cancel</button>
      <button class="btn strong" disabled=${typed !== "" && given !== typed}>${act}</button>
    </div>
  </form>`;
}

/** A notice at the bottom for some seconds. */
export function toast(text, kind = "ok") {
  const notices = document.getElementById("notices");
  const notice = document.createElement("p");
  notice.className = `toast is-${kind}`;
  notice.textContent = text;
  notices.append(notice);
  setTimeout(() => notice.remove(), kind === "bad" ? 10_000 : 4_000);
}

/** Run an action; its problem becomes a notice. True when it worked. */
export async function attempt(action, done = "") {
  try {
    await action();
    if (done) toast(done);
    return true;
  } catch (error) {
    toast(error.message, "bad");
    return false;
  }
}

/** Copy a text. Plain HTTP has no `navigator.clipboard`. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  toast("Copied");
}
