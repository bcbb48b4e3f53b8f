/** Symbols on a grid of 16, drawn with the ink of the text beside them. */
import { html } from "../html.js";

const PATHS = {
  make: "M2.5 13.5 10 6M9 3.5l3.5 3.5M12 2v3M10.5 3.5h3M13.5 9.5v2M12.5 10.5h2",
  library: "M2 2h5v5H2zM9 2h5v5H9zM2 9h5v5H2zM9 9h5v5H9z",
  jobs: "M2 4h12M2 8h12M2 12h7",
  chains: "M2 3h4.500v4H2zM9.500 9H14v4H9.500zM6.500 5H12v4",
  webhooks: "M8 3.5a2.5 2.5 0 0 1 2 4L12 11M8 3.5A2.5 2.5 0 0 0 5.5 6c0 1 .6 1.700 1 2l-2 3.500M6.500 12.500h5M2.500 12.500a1.500 1.500 0 1 0 3 0 1.500 1.500 0 1 0-3 0M11 12.500a1.500 1.500 0 1 0 3 0 1.500 1.500 0 1 0-3 0",
  usage: "M2.5 13.5v-5M6.5 13.5v-9M10.5 13.5v-6M14 13.5v-11",
  servers: "M2 2.5h12V7H2zM2 9h12v4.500H2zM4.500 4.800h.01M4.500 11.300h.01",
  models: "M8 1.800 14 5v6l-6 3.200L2 11V5zM2 5l6 3.200L14 5M8 8.200v6",
  keys: "M2 11a3 3 0 1 0 6 0 3 3 0 1 0-6 0M7.200 8.800l6.300-6.300M11 5l2 2",
  earlier: "M8 13.500V3M4 7l4-4 4 4",
  later: "M8 2.500V13M4 9l4 4 4-4",
  down: "M8 2v8.500M4.500 7.500 8 11l3.500-3.500M2.500 14h11",
  again: "M13 8a5 5 0 1 1-1.500-3.500M13 2v3h-3",
  next: "M2 8h9M8 4.500 11.500 8 8 11.500M14 3v10",
  dice: "M2.500 2.500h11v11h-11zM5.500 5.500h.01M10.500 10.500h.01M8 8h.01",
  copy: "M5.500 5.500h8v8h-8zM10.500 5.500v-3h-8v8h3",
  theme: "M8 2.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 1 0 0-11M8 2.500v11",
  search: "M2.500 7a4.500 4.500 0 1 0 9 0 4.500 4.500 0 1 0-9 0M10.500 10.500 14 14",
  link: "M6.500 9.500 9.500 6.500M7 4.500l1.500-1.500a3 3 0 0 1 4.500 4.500L11.500 9M9 11.500 7.500 13A3 3 0 0 1 3 8.500L4.500 7",
  trash: "M3 4.500h10M6 4.500v-2h4v2M4.500 4.500l.5 9h6l.5-9",
  leave: "M9.500 2.500h4v11h-4M2 8h8M6.500 4.500 3 8l3.500 3.500",
  more: "M3.500 8h.01M8 8h.01M12.500 8h.01",
  close: "M4 4l8 8M12 4l-8 8",
  ok: "m3 8.500 3.500 3.500L13 4.500",
  bad: "M4 4l8 8M12 4l-8 8",
  run: "M8 2.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 1 0 0-11M8 2.500a5.500 5.500 0 0 1 0 11z",
  wait: "M8 2.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 1 0 0-11M8 5v3l2 1.500",
  off: "M3 8h10",
};

/** A symbol; it is never alone: the text beside it, or the label of its button, says the same. */
export function Icon({ name }) {
  return html`<svg class="i" viewBox="0 0 16 16" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}

export function Logo() {
  return html`<svg viewBox="0 0 32 32" class="logo" aria-hidden="true">
    <path d="M16 2v5M16 3 5.5 29M16 3l10.500 26" />
    <g class="mark"><circle cx="16" cy="18.500" r="7.400" /><path d="M2 18.500h28" /></g>
  </svg>`;
}
