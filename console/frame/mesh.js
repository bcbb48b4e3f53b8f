/** The viewer of meshes, in a sandbox: it gets a file as bytes, and says whether it is shown. */
import "../vendor/model-viewer.js";

addEventListener("message", (event) => {
  if (event.source !== parent || !(event.data?.content instanceof ArrayBuffer)) return;
  const viewer = document.createElement("model-viewer");
  viewer.setAttribute("camera-controls", "");
  viewer.setAttribute("interaction-prompt", "none");
  viewer.setAttribute("shadow-intensity", "0.6");
  viewer.alt = event.data.title || "A mesh";
  viewer.addEventListener("load", () => parent.postMessage("shown", "*"));
  viewer.addEventListener("error", () => parent.postMessage("failed", "*"));
  viewer.src = URL.createObjectURL(new Blob([event.data.content], { type: "model/gltf-binary" }));
  document.body.replaceChildren(viewer);
});
parent.postMessage("ready", "*");
