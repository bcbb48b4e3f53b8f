/** The shell: who is signed in, the rail, and the page of the URL. */
import { Fragment, html, render, useEffect, useRef, useState } from "./html.js";
import { Problem, call, get, session, setPublicUrl } from "./api.js";
import { followLinks, here, navigate, to, useRoute } from "./router.js";
import { zone } from "./format.js";
import { Icon, Logo } from "./parts/icons.js";
import { Loading, ProblemNote } from "./parts/state.js";
import { attempt, openDialog } from "./parts/dialog.js";
import { isForPage } from "./parts/keys.js";

/** Each page: its paths, its place in the rail, the scope that it needs, and its module, which is loaded when it is opened. */
const PAGES = [
  { paths: [/^\/$/, /^\/make(?:\/([a-z0-9-]+))?$/], href: "/make", name: "Make", icon: "make", key: "m", needs: "models:read", load: () => import("./pages/make.js") },
  { paths: [/^\/library$/], href: "/library", name: "Library", icon: "library", key: "l", needs: "media:read", load: () => import("./pages/library.js") },
  { paths: [/^\/library\/(med_[0-9a-f]+)$/], name: "Item", under: "/library", load: () => import("./pages/item.js") },
  { paths: [/^\/jobs$/], href: "/jobs", name: "Jobs", icon: "jobs", key: "j", needs: "jobs:read", load: () => import("./pages/jobs.js") },
  { paths: [/^\/jobs\/(job_[0-9a-f]+)$/], name: "Job", under: "/jobs", load: () => import("./pages/job.js") },
  { paths: [/^\/chains$/], href: "/chains", name: "Chains", icon: "chains", key: "c", needs: "jobs:read", load: () => import("./pages/chains.js") },
  { paths: [/^\/chains\/(chn_[0-9a-f]+)$/], name: "Chain", under: "/chains", load: () => import("./pages/chain.js") },
  { paths: [/^\/webhooks$/], href: "/webhooks", name: "Webhooks", icon: "webhooks", key: "w", group: "Integrate", needs: "webhooks:read", load: () => import("./pages/webhooks.js") },
  { paths: [/^\/usage$/], href: "/usage", name: "Usage", icon: "usage", key: "u", group: "Integrate", needs: "usage:read", load: () => import("./pages/usage.js") },
  { paths: [/^\/keys$/], href: "/keys", name: "Keys", icon: "keys", key: "k", group: "Integrate", needs: "keys:read", load: () => import("./pages/keys.js") },
  { paths: [/^\/servers$/], href: "/servers", name: "Servers", icon: "servers", key: "s", group: "Operate", needs: "servers:read", load: () => import("./pages/servers.js") },
  { paths: [/^\/servers\/([^/]+)$/], name: "Server", under: "/servers", load: () => import("./pages/server.js") },
  { paths: [/^\/models$/], href: "/models", name: "Models", icon: "models", key: "o", group: "Operate", needs: "models:read", load: () => import("./pages/models.js") },
];

/** The pages that have a place in the rail for this key. */
const pagesOf = (me) => PAGES.filter((page) => page.href && me.granted.includes(page.needs));

function find(path) {
  for (const page of PAGES) {
    for (const pattern of page.paths) {
      const match = pattern.exec(path);
      if (match) return { page, id: match[1] };
    }
  }
  return null;
}

const SIGNED_OUT = new Problem(401, { code: "unauthenticated", detail: "Sign in." });

function App() {
  const [me, setMe] = useState(null);
  const [error, setError] = useState(null);
  async function readMe() {
    try {
      const { signed_in: isSignedIn } = await get("/console/session");
      if (!isSignedIn) {
        setError(SIGNED_OUT);
        return;
      }
      const found = await get("/me/v1");
      setPublicUrl(found.public_url);
      setMe(found);
      setError(null);
    } catch (problem) {
      setError(problem);
    }
  }
  useEffect(() => {
    readMe();
  }, []);
  useEffect(() => {
    if (!me) return undefined;
    let isAsking = false;
    async function askAgain() {
      if (isAsking) return;
      isAsking = true;
      const isSignedIn = await openDialog((close) => html`<${SignIn} done=${() => close(true)} again />`, "Sign in again");
      isAsking = false;
      if (isSignedIn) await readMe();
      else location.reload();
    }
    session.addEventListener("signed-out", askAgain);
    return () => session.removeEventListener("signed-out", askAgain);
  }, [me !== null]);
  if (me) return html`<${Shell} me=${me} reload=${readMe} />`;
  if (error === SIGNED_OUT) return html`<main class="door"><${SignIn} done=${readMe} /></main>`;
  if (error) return html`<main class="door"><${ProblemNote} error=${error} retry=${readMe} /></main>`;
  return html`<main class="door"><${Loading} /></main>`;
}

/** Whether what is typed here goes over a network in clear. */
const isClear = location.protocol === "http:" && !["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

function SignIn({ done, again = false }) {
  const [key, setKey] = useState("");
  const [error, setError] = useState(null);
  const [isBusy, setBusy] = useState(false);
  async function send(event) {
    event.preventDefault();
    setBusy(true);
    try {
      await call("POST", "/console/session", { key: key.trim() });
      setError(null);
      await done();
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  }
  return html`<form class="sign-in" onSubmit=${send}>
    <${Logo} />
    <h1>${again ? "Sign in again" : "Atelier"}</h1>
    <p class="soft">${again ? "The session has ended. What you have on the page stays." : "Sign in with an API key of this service."}</p>
    <label for="key">API key</label>
    <input id="key" class="in mono" type="password" autocomplete="current-password" required autofocus placeholder="atl_…"
      value=${key} onInput=${(event) => setKey(event.target.value)}
      aria-invalid=${error ? "true" : undefined} aria-describedby="key-note" />
    <p id="key-note" class=${error ? "field-error" : "quiet tiny"} role=${error ? "alert" : undefined}>
      ${error ? error.message : html`The key is not stored in this browser. <code>atelier keys create</code> makes one.`}
    </p>
    ${isClear && html`<p class="note is-wait">This page came over plain HTTP: the key travels in clear.</p>`}
    <button class="btn go" disabled=${isBusy}>Sign in</button>
  </form>`;
}

function Shell({ me, reload }) {
  const { path, query } = useRoute();
  const found = find(path);
  useEffect(() => {
    document.title = `${found?.page.name ?? "Not found"} · Atelier`;
  }, [found?.page]);
  const current = found && (found.page.under ?? found.page.href);
  useShellKeys(me);
  return html`<${Fragment}>
    <a class="skip" href="#main">Skip to content</a>
    <${Rail} me=${me} current=${current} />
    <main id="main" tabindex="-1">
      ${found ? html`<${Page} key=${found.page.name} page=${found.page} id=${found.id} query=${query} me=${me} reloadMe=${reload} />` : html`<${NotFound} />`}
    </main>
    <${StatusBar} me=${me} />
  <//>`;
}

/** Seconds within which the second key after `g` counts. */
const G_SECONDS = 1.5;

/** Ctrl K, `?`, and `g` with the key of a page. */
function useShellKeys(me) {
  const gAt = useRef(-Infinity);
  useEffect(() => {
    const press = async (event) => {
      const isPalette = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
      if (isPalette) event.preventDefault();
      if (isPalette && !document.querySelector("dialog[open]")) {
        const { openPalette } = await import("./parts/palette.js");
        openPalette(pagesOf(me));
      } else if (isForPage(event)) {
        const page = event.timeStamp - gAt.current < 1000 * G_SECONDS && pagesOf(me).find((one) => one.key === event.key);
        gAt.current = event.key === "g" ? event.timeStamp : -Infinity;
        if (page) {
          event.stopImmediatePropagation();
          navigate(page.href);
        } else if (event.key === "?") {
          const { openKeys } = await import("./parts/palette.js");
          openKeys(pagesOf(me));
        }
      }
    };
    // Before the keys of the page, of which `g j` must not move the list.
    addEventListener("keydown", press, { capture: true });
    return () => removeEventListener("keydown", press, { capture: true });
  }, [me]);
}

function Rail({ me, current }) {
  return html`<nav class="rail" aria-label="Console">
    <a class="brand" href=${to("/make")}><${Logo} />Atelier</a>
    ${["", "Integrate", "Operate"].map((group) => html`<section key=${group}>${group && html`<h2>${group}</h2>`}<ul>
      ${pagesOf(me).filter((page) => (page.group ?? "") === group).map(
        (page) => html`<li key=${page.href}><a href=${to(page.href)} aria-current=${current === page.href ? "page" : undefined}>
          <${Icon} name=${page.icon} />${page.name}</a></li>`,
      )}
    </ul></section>`)}
    <div class="me">
      <b>${me.tenant}</b><span class="quiet">${me.scopes.includes("admin") ? "operator" : ""} key “${me.key_name}”</span>
      <span class="acts"><${OwnActs} /></span>
    </div>
  </nav>`;
}

function OwnActs() {
  return html`<button class="btn bare sm" onClick=${changeTheme} aria-label="Change between light and dark"><${Icon} name="theme" /></button>
    <button class="btn bare sm" onClick=${signOut}><${Icon} name="leave" />Sign out</button>`;
}

function changeTheme() {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("atelier-theme", root.dataset.theme);
}

async function signOut() {
  if (await attempt(() => call("DELETE", "/console/session"))) location.assign(to("/"));
}

/** A page's module; one of a version that is no longer served loads the whole console again, once. */
function Page({ page, ...rest }) {
  const [module, setModule] = useState(null);
  const [error, setError] = useState(null);
  async function load() {
    try {
      const loaded = await page.load();
      sessionStorage.removeItem("atelier-reloaded");
      setModule(loaded);
      setError(null);
    } catch {
      // Without the service, loading again would leave the browser's own page of an error in place of the console.
      const isServed = await get("/console/session").then(() => true, () => false);
      if (!isServed || sessionStorage.getItem("atelier-reloaded")) {
        setError(new Problem(0, { code: "no_answer", detail: "This page could not be loaded: the service does not answer. Jobs that were accepted are safe." }));
      } else {
        sessionStorage.setItem("atelier-reloaded", "1");
        location.reload();
      }
    }
  }
  useEffect(() => {
    load();
  }, []);
  if (error) return html`<${ProblemNote} error=${error} retry=${load} />`;
  return module ? html`<${module.default} ...${rest} />` : html`<${Loading} />`;
}

function NotFound() {
  return html`<div class="empty"><h1>There is no such page</h1><p>It may have been renamed. <a href=${to("/make")}>Make something</a>, or look at <a href=${to("/jobs")}>your jobs</a>.</p></div>`;
}

function StatusBar({ me }) {
  return html`<footer class="status">
    <span>${me.paused_at ? "Your queue is paused" : "Jobs are accepted"}</span>
    ${me.balance_remaining_usd !== null && html`<span>Balance <span class="num">$${me.balance_remaining_usd.toFixed(2)}</span></span>`}
    <span class="hide-s quiet">Times in ${zone}</span>
    <span class="hide-s quiet">Version ${me.version}</span>
    <kbd class="hide-s">Ctrl K</kbd>
    <span class="only-s"><${OwnActs} /></span>
  </footer>`;
}

followLinks();
// The page's module comes while the session is asked for; `Page` says what is wrong with one that does not come.
find(here().path)?.page.load().catch(() => {});
render(html`<${App} />`, document.getElementById("app"));
const notices = document.createElement("div");
notices.id = "notices";
notices.setAttribute("role", "status");
notices.setAttribute("aria-label", "Notices");
document.body.append(notices);
