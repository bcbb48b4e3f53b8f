/** The widget of each kind of field. All have the id of the field, so that a problem's field can be focused. */
import { html, useState } from "../html.js";
import { Icon } from "../parts/icons.js";
import { words } from "../format.js";
import { DropField } from "./drop.js";
import { mediaKind, takesNone } from "./fields.js";

export const fieldId = (name) => `field-${name}`;

/** A field with its label, its description and its problem; one of a row has an id of its own. */
export function Field({ field, value, onChange, error, id = fieldId(field.name), sources }) {
  if (field.widget === "media" || field.widget === "media-list") {
    const many = field.widget === "media-list";
    const accept = field.name === "input_audio" ? "audio/*,video/*" : `${mediaKind(field.name)}/*`;
    return html`<${DropField} ...${{ id, value, onChange, many, error, accept, sources }} label=${field.label} hint=${field.isRequired ? "needed" : many ? `up to ${field.most ?? field.schema.maxItems}` : "optional"} most=${field.most ?? field.schema.maxItems} note=${firstSentence(field.description)} />`;
  }
  if (field.widget === "switch") {
    return html`<div><label class="switch" for=${id}><input id=${id} type="checkbox" checked=${value ?? field.default} aria-describedby=${`${id}-note`} onChange=${(event) => onChange(event.target.checked === field.default ? undefined : event.target.checked)} />${field.label}</label><${FieldNote} ...${{ id, field, error }} /></div>`;
  }
  const Widget = WIDGETS[field.widget] ?? Line;
  const isGroup = ["size", "numbers"].includes(field.widget) || (field.widget === "choice" && field.schema.enum.length <= 4);
  const hint = field.most && typeof value === "string" ? `${value.length} / ${field.most}` : "";
  const head = html`${field.label} ${hint && html`<small class="num">${hint}</small>`}`;
  return html`<div>
    ${isGroup ? html`<span class="label" id=${`${id}-label`}>${head}</span>` : html`<label for=${id}>${head}</label>`}
    <${Widget} ...${{ field, value, onChange, id }} isWrong=${Boolean(error)} />
    <${FieldNote} ...${{ id, field, error }} />
  </div>`;
}

/** What a media field is for; the ways to name a file, which follow in its description, are those of every such field. */
const firstSentence = (text) => text.split(/(?<=\.) /)[0];

export function FieldNote({ id, field, error }) {
  if (error) return html`<p id=${`${id}-note`} class="field-error" role="alert">${error}</p>`;
  return html`<p id=${`${id}-note`} class="quiet tiny">${field.description}</p>`;
}

const shared = (field, id, isWrong) => ({ id, "aria-describedby": `${id}-note`, "aria-invalid": isWrong ? "true" : undefined });

function LongText({ field, value, onChange, id, isWrong }) {
  return html`<textarea ...${shared(field, id, isWrong)} dir="auto" maxlength=${field.most ?? field.schema.maxLength} value=${value ?? ""} placeholder=${field.default ?? ""} onInput=${(event) => onChange(event.target.value)}></textarea>`;
}

function Line({ field, value, onChange, id, isWrong }) {
  return html`<input ...${shared(field, id, isWrong)} class="in" dir="auto" value=${value ?? ""} placeholder=${field.default ?? ""} maxlength=${field.schema.maxLength} onInput=${(event) => onChange(event.target.value)} />`;
}

function NumberLine({ field, value, onChange, id, isWrong }) {
  const { minimum, maximum, type } = field.schema;
  if (field.name === "seed") return html`<${Seed} ...${{ field, value, onChange, id, isWrong }} />`;
  const line = html`<input ...${shared(field, id, isWrong)} class="in num" type="number" min=${minimum} max=${maximum} step=${type === "integer" ? 1 : "any"} value=${value ?? ""} placeholder=${value === null ? "none" : (field.default ?? "the model's")} onInput=${(event) => onChange(event.target.value === "" ? undefined : Number(event.target.value))} />`;
  if (!takesNone(field)) return line;
  return html`<div class="seed">${line}<button type="button" class="btn" aria-pressed=${value === null ? "true" : "false"} onClick=${() => onChange(value === null ? undefined : null)}>None</button></div>`;
}

/** The largest number that JSON and JavaScript agree on would be long to read; a seed of 32 bits is as good. */
const randomSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

function Seed({ field, value, onChange, id, isWrong }) {
  const isDrawn = value === undefined;
  return html`<div class="seed">
    <input ...${shared(field, id, isWrong)} class="in num" inputmode="numeric" pattern="[0-9]*" value=${value ?? ""} placeholder=${field.default === -1 ? "a new one each time" : String(field.default)} onInput=${(event) => onChange(/^\d+$/.test(event.target.value) ? Number(event.target.value) : undefined)} />
    <button type="button" class="btn" onClick=${() => onChange(randomSeed())}><${Icon} name="dice" />Draw</button>
    <button type="button" class="btn" disabled=${isDrawn} onClick=${() => onChange(undefined)}>Clear</button>
  </div>`;
}

function Choice({ field, value, onChange, id, isWrong }) {
  const chosen = value === undefined ? field.default : value;
  const set = (one) => onChange(one === field.default ? undefined : one);
  const options = field.schema.enum;
  const unset = field.default === null ? "the model's" : "none";
  if (options.length <= 4) {
    const all = field.schema.isOptional ? [null, ...options] : options;
    return html`<div class="seg" role="radiogroup" aria-labelledby=${`${id}-label`}>
      ${all.map((one, place) => html`<label key=${one ?? ""} class=${one === chosen ? "on" : ""}><input class="sr" type="radio" name=${id} id=${place ? undefined : id} checked=${one === chosen} onChange=${() => set(one)} />${one === null ? unset : words(one)}</label>`)}
    </div>`;
  }
  return html`<select ...${shared(field, id, isWrong)} class="in" value=${chosen ?? ""} onChange=${(event) => set(options.find((one) => String(one) === event.target.value) ?? null)}>
    ${(field.schema.isOptional || chosen === null) && html`<option value="" selected=${chosen === null}>${unset}</option>`}
    ${options.map((one) => html`<option key=${one} value=${one} selected=${one === chosen}>${one}</option>`)}
  </select>`;
}

/** One of `[value, title]` pairs; `empty` is what none is called. */
function Menu({ field, value: given, onChange, id, isWrong }) {
  const value = field.schema.enum.some(([one]) => one === given) ? given : undefined;
  return html`<select ...${shared(field, id, isWrong)} class="in" value=${value ?? ""} onChange=${(event) => onChange(event.target.value || undefined)}>
    ${field.empty && html`<option value="" selected=${!value}>${field.empty}</option>`}
    ${field.schema.enum.map(([one, title]) => html`<option key=${one} value=${one} selected=${one === value}>${title}</option>`)}
  </select>`;
}

function Size({ field, value, onChange, id }) {
  const [isAsked, setAsked] = useState(false);
  const { width, height } = field.schema;
  const chosen = value ?? field.default ?? { width: width.default, height: height.default };
  const isChosen = (one) => one.width === chosen.width && one.height === chosen.height;
  const isOwn = isAsked || !field.sizes.some(isChosen);
  const side = (name, schema) => html`<label>${name === "width" ? "Width" : "Height"}
    <input class="in num" type="number" min=${schema.minimum} max=${schema.maximum} step=${schema.multipleOf ?? 1} value=${chosen[name]} onInput=${(event) => onChange({ ...chosen, [name]: Number(event.target.value) })} /></label>`;
  return html`<div class="seg wrap" role="radiogroup" aria-labelledby=${`${id}-label`}>
      ${field.sizes.map((one, place) => {
        const isOn = !isOwn && isChosen(one);
        return html`<label key=${`${one.width}×${one.height}`} class=${isOn ? "on" : ""}><input class="sr" type="radio" name=${id} id=${place ? undefined : id} checked=${isOn} onChange=${() => { setAsked(false); onChange({ width: one.width, height: one.height }); }} />${one.ratio}<small>${one.width}×${one.height}</small></label>`;
      })}
      <label class=${isOwn ? "on" : ""}><input class="sr" type="radio" name=${id} checked=${isOwn} onChange=${() => { setAsked(true); onChange(chosen); }} />Own<small>pixels</small></label>
    </div>
    ${isOwn && html`<div class="pair">${side("width", width)}${side("height", height)}</div>`}`;
}

function Color({ field, value, onChange, id, isWrong }) {
  return html`<div class="seed"><input ...${shared(field, id, isWrong)} type="color" value=${value ?? "#ffffff"} onInput=${(event) => onChange(event.target.value)} /><span class="num">${value ?? "none"}</span><button type="button" class="btn" disabled=${!value} onClick=${() => onChange(undefined)}>Clear</button></div>`;
}

/** A list of colors, separated by commas. */
function List({ field, value, onChange, id, isWrong }) {
  const read = (text) => text.split(/[\s,]+/).filter(Boolean);
  return html`<input ...${shared(field, id, isWrong)} class="in mono" placeholder="#FF5733, #1D1A16" value=${(value ?? []).join(", ")} onChange=${(event) => onChange(read(event.target.value))} />`;
}

/** A list of texts, one a line. */
function Lines({ field, value, onChange, id, isWrong }) {
  const [draft, setDraft] = useState({ text: "", value: undefined });
  const text = draft.value === value ? draft.text : (value ?? []).join("\n");
  const write = (event) => {
    const next = { text: event.target.value, value: event.target.value.split("\n").filter((line) => line.trim()) };
    setDraft(next);
    onChange(next.value);
  };
  return html`<textarea ...${shared(field, id, isWrong)} placeholder="one a line" value=${text} onInput=${write}></textarea>`;
}

/** A value that has no widget of its own, as JSON; nothing is sent of it while it is no JSON. */
function Json({ field, value, onChange, id, isWrong }) {
  const [draft, setDraft] = useState({ text: "", value: undefined });
  const text = draft.value === value ? draft.text : JSON.stringify(value, null, 2);
  const isBroken = value === undefined && text.trim() !== "";
  const write = (event) => {
    const next = { text: event.target.value, value: parse(event.target.value) };
    setDraft(next);
    onChange(next.value);
  };
  return html`<textarea ...${shared(field, id, isWrong || isBroken)} class="mono" spellcheck="false" placeholder="a list as JSON" value=${text} onInput=${write}></textarea>
    ${isBroken && html`<p class="field-error" role="status">This is not JSON yet, and not sent.</p>`}`;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Pairs of a label: `shop: eu, campaign: spring`. */
function Labels({ field, value, onChange, id, isWrong }) {
  const read = (text) => Object.fromEntries(text.split(",").map((pair) => pair.split(":").map((part) => part.trim())).filter(([key, one]) => key && one));
  const text = Object.entries(value ?? {}).map(([key, one]) => `${key}: ${one}`).join(", ");
  return html`<input ...${shared(field, id, isWrong)} class="in" placeholder="campaign: spring, shop: eu" value=${text} onChange=${(event) => onChange(read(event.target.value))} />`;
}

/** An object of numbers, each with a line of its own. */
function Numbers({ field, value, onChange, id, isWrong }) {
  const set = (name, text) => {
    const rest = Object.fromEntries(Object.entries(value ?? {}).filter(([one]) => one !== name));
    onChange(text === "" ? rest : { ...rest, [name]: Number(text) });
  };
  return html`<div class="pair">
    ${Object.entries(field.schema.properties).map(([name, { minimum, maximum }], place) => html`<label key=${name}>${words(name)}
      <input ...${shared(field, place ? undefined : id, isWrong)} class="in num" type="number" min=${minimum} max=${maximum} value=${value?.[name] ?? ""} placeholder="0" onInput=${(event) => set(name, event.target.value)} /></label>`)}
  </div>`;
}

const WIDGETS = { "long-text": LongText, menu: Menu, number: NumberLine, choice: Choice, size: Size, color: Color, list: List, lines: Lines, json: Json, labels: Labels, numbers: Numbers };
