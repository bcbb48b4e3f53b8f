/** The picture that a picture was made from: of this tab's files, of the library, or of another job. */
import { useEffect, useState } from "../html.js";
import { get, local } from "../api.js";
import { kindOf } from "./media.js";

/** The field that a result is compared with. */
const FIELD = "input_image";
const ofThisTab = new Map();

/** Note what a job of this tab was made from. */
export function noteOriginal(jobId, file) {
  if (file?.url) ofThisTab.set(jobId, file.url);
}

async function find(job) {
  const { params } = await get(`/jobs/v1/${job.job_id}/request`);
  const source = params?.[FIELD] ?? "";
  const [, jobId, place] = /^output:(job_[0-9a-f]+)\/(\d+)$/.exec(source) ?? [];
  if (jobId) return local((await get(`/jobs/v1/${jobId}`)).outputs[place]?.url) ?? "";
  if (source.startsWith("med_")) return local((await get(`/media/v1/${source}`)).url) ?? "";
  return "";
}

/** The link of the original of a job's picture, "" where there is none that can be shown. */
export function useOriginal(job) {
  const [found, setFound] = useState({ id: null, url: "" });
  const isPicture = job?.status === "completed" && job.outputs.some((output) => kindOf(output.media_type) === "image");
  const id = isPicture ? job.job_id : null;
  useEffect(() => {
    if (!id) return;
    if (ofThisTab.has(id)) setFound({ id, url: ofThisTab.get(id) });
    else find(job).then((url) => setFound({ id, url }), () => {});
  }, [id]);
  return found.id === id ? found.url : "";
}
