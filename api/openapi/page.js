// The OpenAPI page: Swagger UI, which keeps the key for this tab and prefills no parameter.
"use strict";

const KEPT = "atelier-authorization";

// Swagger UI's own way of keeping the key is localStorage, which outlives the tab and is shared by all of them.
const keepKeyForTab = () => ({
  statePlugins: {
    auth: {
      wrapActions: {
        authorize: (authorize) => (entered) => {
          sessionStorage.setItem(KEPT, JSON.stringify({ ...read(), ...entered }));
          return authorize(entered);
        },
        logout: (logout) => (names) => {
          const left = Object.entries(read()).filter(([name]) => !names.includes(name));
          sessionStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(left)));
          return logout(names);
        },
      },
    },
  },
});

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) || {};
  } catch {
    return {};
  }
}

// A default would be prefilled: a click into `0` and a typed `20` make `020`. It is said in words instead.
function sayDefaults(specification) {
  for (const operations of Object.values(specification.paths)) {
    for (const { parameters = [] } of Object.values(operations)) {
      for (const parameter of parameters) {
        if (parameter.schema && "default" in parameter.schema) {
          parameter.description = `${parameter.description || ""} Default: ${parameter.schema.default}.`.trim();
          delete parameter.schema.default;
        }
      }
    }
  }
  return specification;
}

async function show(address) {
  const answer = await fetch(address);
  const ui = SwaggerUIBundle({
    spec: sayDefaults(await answer.json()),
    dom_id: "#swagger-container",
    deepLinking: true,
    showExtensions: true,
    showCommonExtensions: true,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
    plugins: [keepKeyForTab],
    onComplete: () => {
      const kept = read();
      if (Object.keys(kept).length) {
        ui.authActions.authorize(kept);
      }
    },
  });
}

show(document.currentScript.dataset.document);
