/** The page as a URL: its path below `/console`, and its query. */
import { useEffect, useState } from "./html.js";
import { home } from "./api.js";

const moved = new EventTarget();

/** The path below `/console` ("/" for the first page) and the query of where we are. */
export function here() {
  const path = location.pathname.startsWith(home) ? location.pathname.slice(home.length) : "/";
  return { path: path.replace(/\/$/, "") || "/", query: new URLSearchParams(location.search) };
}

/** The whole path of a page, for links. */
export const to = (path) => home + path;

/** Go to a page, as `/jobs?status=failed`. */
export function navigate(path, { replace = false } = {}) {
  if (home + path === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", home + path);
  moved.dispatchEvent(new Event("moved"));
}

/** Change values of the query; an empty one is left out. */
export function setQuery(values, options = { replace: true }) {
  const { path, query } = here();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  navigate(path + (text && `?${text}`), options);
}

export function useRoute() {
  const [route, setRoute] = useState(here);
  useEffect(() => {
    const read = () => setRoute(here());
    moved.addEventListener("moved", read);
    addEventListener("popstate", read);
    return () => {
      moved.removeEventListener("moved", read);
      removeEventListener("popstate", read);
    };
  }, []);
  return route;
}

/** Have links to pages of the console change the page alone. */
export function followLinks() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.href);
    const isOurs = url.origin === location.origin && (url.pathname === home || url.pathname.startsWith(`${home}/`));
    if (!isOurs || link.target || link.hasAttribute("download") || url.hash) return;
    event.preventDefault();
    navigate(url.pathname.slice(home.length) + url.search);
    scrollTo(0, 0);
  });
}
