// Calls every tool of a server, with its URL and a key, and prints what came of it as JSON.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, key] = process.argv.slice(2);
const requestInit = { headers: { Authorization: `Bearer ${key}` } };
const client = new Client({ name: "a test", version: "1" });
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));

const { tools } = await client.listTools();
const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);
const { models } = (await call("get_models", { generation_type: "text-to-image" })).structuredContent;
const asked = { prompt: "a red circle on a blue background", model: models.find((model) => model.available).id };
const estimate = (await call("get_generation_estimate", asked)).structuredContent;
const { generation_id } = (await call("generate_media", { ...asked, duration: null })).structuredContent;
let noted = 0;
const onprogress = ({ progress }) => { noted = progress; };
const ended = await call("get_generation_status", { generation_id, wait: 50 }, { onprogress });
const [output] = ended.structuredContent.outputs;
const refused = await call("generate_media", { ...asked, source_media_urls: ["https://shop.example/1.jpg"] });
await call("cancel_generation", { generation_id });
await client.close();
console.log(JSON.stringify({
  tools: tools.map((tool) => tool.name).sort(),
  status: ended.structuredContent.status,
  url: output.url,
  size: output.bytes,
  picture: ended.content.find((block) => block.type === "image").data,
  refused: refused.isError === true,
  noted: noted <= 1 && estimate.estimated_time_seconds > 0,
}));
