/** Lists in pages: the first is read again and again, those below it stay as they were read. */
import { useState } from "../html.js";
import { get, useApi } from "../api.js";

/** Rows that a list holds at most. */
export const MOST_ROWS = 2000;

/**
 * The items of a list: `{items, error, isLoading, next, more, reload, isReady}`. `itemsOf` finds them in an answer, `idOf` the id
 * of one; `every` is that of `useApi`.
 */
export function usePages(path, itemsOf, idOf, every = 0) {
  const first = useApi(path, every);
  const [below, setBelow] = useState({ path, items: [], next: undefined });
  const [isLoading, setLoading] = useState(false);
  const own = below.path === path ? below : { path, items: [], next: undefined };
  const next = own.next === undefined ? first.data?.next_cursor : own.next;
  async function more() {
    setLoading(true);
    try {
      const page = await get(`${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(next)}`);
      setBelow({ path, items: [...own.items, ...itemsOf(page)], next: page.next_cursor });
    } catch (error) {
      setBelow({ ...own, error });
    }
    setLoading(false);
  }
  const newest = first.data ? itemsOf(first.data) : [];
  // The first page moves on while it is read again: what is in both is there once.
  const known = new Set(newest.map(idOf));
  const items = [...newest, ...own.items.filter((item) => !known.has(idOf(item)))];
  return {
    items,
    error: first.error ?? own.error,
    isReady: first.data !== null,
    isLoading,
    next: items.length < MOST_ROWS ? next : null,
    more,
    reload: () => {
      setBelow({ path, items: [], next: undefined });
      first.reload();
    },
  };
}
