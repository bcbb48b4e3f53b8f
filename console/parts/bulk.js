/** What is done with many at once: some at a time, and each that fails is told with its sentence. */
import { useState } from "../html.js";
import { toast } from "./dialog.js";

const AT_ONCE = 4;
/** The most that can be selected. */
export const MOST_SELECTED = 200;

/** A selection by id: `{selected, toggle, clear}`; another `key` is another selection. */
export function useSelection(key) {
  const [state, setState] = useState({ key, ids: new Set() });
  const ids = state.key === key ? state.ids : new Set();
  const toggle = (id) => {
    const next = new Set(ids);
    if (!next.delete(id) && next.size < MOST_SELECTED) next.add(id);
    setState({ key, ids: next });
  };
  return { selected: ids, toggle, clear: () => setState({ key, ids: new Set() }) };
}

/** Do `action` to each; `note` gets how far it is. Returns how many it worked for. */
export async function forEach(items, action, note) {
  const failures = [];
  const waiting = [...items];
  let ended = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let item = waiting.shift(); item; item = waiting.shift()) {
      await action(item).catch((error) => failures.push(error.message));
      ended += 1;
      note(`${ended} of ${items.length}`);
    }
  }));
  note("");
  failures.slice(0, 3).forEach((text) => toast(text, "bad"));
  return items.length - failures.length;
}
