/** Following a job by its event stream; the row is the truth, so an interrupted stream is read again. */
import { useEffect, useState } from "../html.js";
import { get, root } from "../api.js";
import { isOver } from "./state.js";

/** The states whose events are the last of a stream. */
const ENDS = ["completed", "failed", "cancelled"];

/**
 * A job as it is now: `{job, preview, error, reload}`. Events are merged into the status answer, at most once a frame, so
 * that many of them do not freeze the page. `preview` is the last step that was shown, `{step, of, image}` or `{step, of, text}`, or null.
 */
export function useJob(jobId) {
  const [state, setState] = useState({ id: null, job: null, error: null });
  const [preview, setPreview] = useState(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    setPreview(null);
    if (!jobId) return undefined;
    let stream = null;
    let isGone = false;
    let waiting = null;
    let timer = 0;
    const merge = (fields) => {
      if (isGone) return;
      if (!waiting) {
        requestAnimationFrame(() => {
          const news = waiting;
          waiting = null;
          if (!isGone) setState((known) => ({ id: jobId, error: null, job: { ...(known.id === jobId ? known.job : null), ...news } }));
        });
      }
      waiting = { ...waiting, ...fields };
    };
    async function read() {
      try {
        const job = await get(`/jobs/v1/${jobId}`);
        if (isGone) return;
        setState({ id: jobId, job, error: null });
        if (!isOver(job)) listen();
      } catch (error) {
        if (isGone) return;
        setState((known) => ({ id: jobId, job: known.id === jobId ? known.job : null, error }));
        if (error.status === 0 || error.status >= 500) timer = setTimeout(read, 2000);
      }
    }
    function listen() {
      stream?.close();
      stream = new EventSource(`${root}/jobs/v1/${jobId}/events?previews=true`);
      const take = (event) => merge(JSON.parse(event.data));
      stream.addEventListener("progress", take);
      stream.addEventListener("preview", (event) => setPreview(JSON.parse(event.data)));
      for (const name of ENDS) {
        stream.addEventListener(name, (event) => {
          take(event);
          stream.close();
        });
      }
      stream.onerror = () => {
        // A browser does not open a stream again that was answered with an error: the row says what is.
        if (stream.readyState === EventSource.CLOSED && !isGone) timer = setTimeout(read, 2000);
      };
    }
    /** One stream for each visible tab: browsers open six connections to a host, and hidden tabs need none. */
    function seen() {
      clearTimeout(timer);
      stream?.close();
      if (!document.hidden) read();
    }
    read();
    document.addEventListener("visibilitychange", seen);
    return () => {
      isGone = true;
      clearTimeout(timer);
      stream?.close();
      document.removeEventListener("visibilitychange", seen);
    };
  }, [jobId, round]);
  const isOld = state.id !== jobId;
  return { job: isOld ? null : state.job, preview: isOld ? null : preview, error: isOld ? null : state.error, reload: () => setRound((known) => known + 1) };
}
