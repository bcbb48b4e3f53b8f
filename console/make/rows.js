/** A list of which each row is a small form: rows are added, removed and moved, by buttons and by dragging. */
import { html, useLayoutEffect, useRef, useState } from "../html.js";
import { Icon } from "../parts/icons.js";
import { changed, fieldsOfRow, newRow } from "./fields.js";
import { Field, FieldNote, fieldId } from "./widgets.js";

const TYPE = "application/x-atelier-row";

/** The rows with one moved to a place. */
export function moved(rows, id, place) {
  const row = rows.find((one) => one.id === id);
  const others = rows.filter((one) => one !== row);
  return row ? [...others.slice(0, place), row, ...others.slice(place)] : rows;
}

/** What one row is called: `shot` of `Shots`. */
const oneOf = (field) => field.label.toLowerCase().replace(/s$/, "");

/** A field of any widget. `problem` is that of the form, if it is about this field; `path` is where it is in the body. */
export function FormField({ field, value, onChange, problem, path = field.name, sources }) {
  if (field.widget === "rows") return html`<${Rows} ...${{ field, value, onChange, problem, path }} />`;
  return html`<${Field} ...${{ field, value, onChange, sources }} id=${fieldId(path)} error=${problem?.message ?? ""} />`;
}

/** `onChange` takes a function of the rows as they are then: a file may come after a row was moved. */
function Rows({ field, value, onChange, problem, path }) {
  const rows = value ?? [];
  const most = field.most ?? field.schema.maxItems;
  const least = field.isRequired ? (field.schema.minItems ?? 0) : 0;
  const one = oneOf(field);
  const title = (place) => `${one[0].toUpperCase()}${one.slice(1)} ${place + 1}`;
  const id = fieldId(path);
  const list = useRef(null);
  const next = useRef(null);
  const dragged = useRef(null);
  const [said, setSaid] = useState("");
  // A row that moves in the page loses the focus, as one does that is removed.
  useLayoutEffect(() => {
    const [rowId, ...names] = next.current ?? [];
    next.current = null;
    const row = rowId && list.current.querySelector(`[data-row="${rowId}"]`);
    const find = (name) => row?.querySelector(name) ?? list.current.parentElement.querySelector(name);
    names.map(find).find((element) => element && !element.disabled)?.focus();
  });

  const add = () => {
    const row = newRow(field.first?.(rows));
    next.current = [row.id, "textarea, input, select"];
    setSaid(`${title(rows.length)} added.`);
    onChange((known) => [...(known ?? []), row]);
  };
  const remove = (place) => {
    const beside = rows[place + 1] ?? rows[place - 1];
    next.current = [beside?.id, "[data-act=remove]", "textarea, input, select", ":scope > [data-act=add]"];
    setSaid(`${title(place)} removed.`);
    onChange((known) => known.filter((row) => row.id !== rows[place].id));
  };
  const move = (rowId, place, ...names) => {
    next.current = [rowId, ...names];
    setSaid(`${title(rows.findIndex((row) => row.id === rowId))} is now ${title(place).toLowerCase()}.`);
    onChange((known) => moved(known, rowId, place));
  };
  const drop = (event, place) => {
    if (!dragged.current) return;
    event.preventDefault();
    move(dragged.current, place);
    dragged.current = null;
  };
  const set = (rowId, name) => (given) =>
    onChange((known) => known.map((row) => (row.id === rowId ? { ...row, values: changed(row.values, name, given) } : row)));

  return html`<div class="form">
    <div><span class="label">${field.label} <small class="num">${most ? `${rows.length} / ${most}` : ""}</small></span>
      <${FieldNote} ...${{ id, field, error: problem?.path === path ? problem.message : "" }} /></div>
    <ol class="form" ref=${list} id=${id} tabindex="-1" aria-label=${field.label}>
      ${rows.map((row, place) => html`<li key=${row.id} data-row=${row.id}
        onDragOver=${(event) => dragged.current && event.preventDefault()} onDrop=${(event) => drop(event, place)}>
        <fieldset class="form item" aria-label=${title(place)}>
          <div class="item-head" draggable="true" title="Drag to move"
            onDragStart=${(event) => { dragged.current = row.id; event.dataTransfer.setData(TYPE, row.id); event.dataTransfer.effectAllowed = "move"; }}
            onDragEnd=${() => { dragged.current = null; }}>
            <b>${title(place)}</b>
            <${Act} act="earlier" label=${`Move ${title(place).toLowerCase()} earlier`} isOff=${place === 0} onClick=${() => move(row.id, place - 1, "[data-act=earlier]", "[data-act=later]")} />
            <${Act} act="later" label=${`Move ${title(place).toLowerCase()} later`} isOff=${place === rows.length - 1} onClick=${() => move(row.id, place + 1, "[data-act=later]", "[data-act=earlier]")} />
            <${Act} act="remove" icon="close" label=${`Remove ${title(place).toLowerCase()}`} isOff=${rows.length <= least} onClick=${() => remove(place)} />
          </div>
          <${RowFields} ...${{ field, row, problem, set, place }} at=${`${path}[${place}]`} sources=${field.earlier?.(rows, place)} />
        </fieldset>
      </li>`)}
    </ol>
    <button type="button" class="btn" data-act="add" disabled=${rows.length >= most} onClick=${add}>Add ${/^[aeiou]/.test(one) ? "an" : "a"} ${one}</button>
    <span class="sr" role="status">${said}</span>
  </div>`;
}

function Act({ act, icon = act, label, isOff, onClick }) {
  return html`<button type="button" class="btn bare sm" data-act=${act} aria-label=${label} disabled=${isOff} onClick=${onClick}><${Icon} name=${icon} /></button>`;
}

/** The fields of a row; a problem of the row that is about none of them comes first. */
function RowFields({ field, row, place, at, problem, set, sources }) {
  const fields = fieldsOfRow(field, row.values, place);
  const isOf = (name) => problem && [".", "["].some((sign) => problem.path === name || problem.path.startsWith(name + sign));
  const isShown = fields.some((one) => isOf(`${at}.${one.name}`));
  const shown = (one) => html`<${FormField} key=${one.name} field=${one} value=${row.values[one.name]} path=${`${at}.${one.name}`} onChange=${set(row.id, one.name)} problem=${isOf(`${at}.${one.name}`) ? problem : null} sources=${sources} />`;
  // Rows of one kind are small, and those that have whole forms are not.
  const more = field.rowFields ? fields.filter((one) => one.group !== "main") : [];
  return html`${isOf(at) && !isShown && html`<p class="field-error" role="alert">${problem.message}</p>`}
    ${fields.filter((one) => !more.includes(one)).map(shown)}
    ${more.length > 0 && html`<details open=${more.some((one) => isOf(`${at}.${one.name}`))}><summary>More</summary><div class="form">${more.map(shown)}</div></details>`}`;
}
