/** The OpenAPI document, read once in a tab: what the service makes, and the fields of each. */
import { useEffect, useState } from "../html.js";
import { get } from "../api.js";
import { formsOf } from "../make/fields.js";

let reading = null;

function read() {
  reading ??= get("/schema/openapi.json").then(formsOf).catch((error) => {
    reading = null;
    throw error;
  });
  return reading;
}

/** `{modalities, error, reload}`: the forms of the service, of its modalities and of storyboards, null until they are known. */
export function useModalities() {
  const [state, setState] = useState({ modalities: null, error: null });
  const load = () => read().then((modalities) => setState({ modalities, error: null }), (error) => setState({ modalities: null, error }));
  useEffect(() => {
    load();
  }, []);
  return { ...state, reload: load };
}
