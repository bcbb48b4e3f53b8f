/** The OpenAPI document, read once in a tab: what the service makes, and the fields of each. */
import { useEffect, useState } from "../html.js";
import { get } from "../api.js";
import { modalitiesOf } from "../make/fields.js";

let reading = null;

function read() {
  reading ??= get("/schema/openapi.json").then(modalitiesOf).catch((error) => {
    reading = null;
    throw error;
  });
  return reading;
}

/** `{modalities, error, reload}`: the modalities of the service, null until they are known. */
export function useModalities() {
  const [state, setState] = useState({ modalities: null, error: null });
  const load = () => read().then((modalities) => setState({ modalities, error: null }), (error) => setState({ modalities: null, error }));
  useEffect(() => {
    load();
  }, []);
  return { ...state, reload: load };
}
