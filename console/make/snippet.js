/** A request as code to take away: curl, Python, TypeScript and JSON. Only what differs from the defaults is in it. */
import { getPublicUrl } from "../api.js";

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A value as Python writes it. */
function python(value, indent) {
  const inner = `${indent}    `;
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return value.length ? `[${value.map((one) => python(one, inner)).join(", ")}]` : "[]";
  if (typeof value === "object") return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${python(one, inner)}`).join(", ")}}`;
  return JSON.stringify(value);
}

/** The request in each language, by its name; `modality` is the one of the form, `body` its JSON. */
export function snippets(modality, body) {
  const url = getPublicUrl();
  const wait = modality.isChain ? "" : "?wait=60";
  const json = JSON.stringify(body, null, 2);
  const pythonLines = Object.entries(body).map(([name, value]) => `        ${JSON.stringify(name)}: ${python(value, "        ")},`);
  return {
    curl: `curl -sS "${url}${modality.path}${wait}" \\
  -H "X-API-Key: $ATELIER_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d ${quoted(json)}
`,
    Python: `import os

import httpx

answer = httpx.post(
    "${url}${modality.path}",
${modality.isChain ? "" : '    params={"wait": 60},\n'}    headers={"X-API-Key": os.environ["ATELIER_API_KEY"]},
    json={
${pythonLines.join("\n")}
    },
    timeout=90,
)
answer.raise_for_status()
print(answer.json())
`,
    TypeScript: `const answer = await fetch("${url}${modality.path}${wait}", {
  method: "POST",
  headers: { "X-API-Key": process.env.ATELIER_API_KEY!, "Content-Type": "application/json" },
  body: JSON.stringify(${json.replaceAll("\n", "\n  ")}),
});
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.json());
`,
    JSON: `${json}\n`,
  };
}
