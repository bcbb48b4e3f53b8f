/** The list of a chain's steps: each is the form of its modality, and may take what an earlier one makes. */
import { defaultModel, fieldsOf } from "./fields.js";

const FIRST = "image";

/** The first name, from `step-1` on, that none of the rows has. */
function freeName(rows) {
  const taken = new Set(rows.map((row) => row.values.name));
  let number = rows.length + 1;
  while (taken.has(`step-${number}`)) number += 1;
  return `step-${number}`;
}

/** The field of the steps, of the schema of chains; each row has the fields of its modality, for its model. */
export function stepsField(field, forms, models) {
  const modalities = forms.filter((form) => !form.isChain);
  const own = (values) => models.filter((model) => model.modality === values.modality);
  const fieldsOfStep = (values) => {
    const form = modalities.find((one) => one.name === values.modality);
    if (!form) return [];
    const ofModel = fieldsOf(form, own(values).find((one) => one.id === values.model) ?? defaultModel(own(values)));
    return ofModel.filter((one) => one.name !== "callback_url");
  };
  /** A row without the model that was chosen for another modality. */
  const ofItsModel = (row) => (own(row.values).some((one) => one.id === row.values.model) ? row : { ...row, values: { ...row.values, model: undefined } });
  const plain = { fields: [], group: "main", isRequired: false, default: null };
  const head = (values) => [
    { ...plain, name: "modality", label: "Makes", description: "", widget: "menu", schema: { enum: modalities.map((one) => [one.name, one.title]) } },
    { ...plain, name: "name", label: "Name", description: "Of small letters, digits, - and _.", widget: "text", schema: { maxLength: 40 } },
    { ...plain, name: "model", label: "Model", description: "", widget: "menu", empty: defaultModel(own(values)) ? `Default: ${defaultModel(own(values)).title}` : "Default", schema: { enum: own(values).map((one) => [one.id, one.title]) } },
  ];
  return { ...field, description: "Each is a job, and may take what an earlier one makes.", first: (rows) => ({ modality: FIRST, name: freeName(rows) }), rowFields: (values) => [...head(values), ...fieldsOfStep(values)], earlier, sent: (rows) => named(rows).map(ofItsModel) };
}

/** What the steps before a place make, as files of a later one: known by their rows, for names and places change. */
const earlier = (rows, place) => rows.slice(0, place).map((row, number) => {
  const name = row.values.name || number + 1;
  return { row: row.id, id: `step:${name}`, name: `What ${name} makes` };
});

/** The rows with the names that the steps have now in all that takes what they make. */
function named(rows) {
  const known = new Map(earlier(rows, rows.length).map((one) => [one.row, one]));
  const now = (value) => (Array.isArray(value) ? value.map(now) : (known.get(value?.row) ?? value));
  return rows.map((row) => ({ ...row, values: Object.fromEntries(Object.entries(row.values).map(([name, value]) => [name, now(value)])) }));
}
