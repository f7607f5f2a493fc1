"use strict";
// Draws the API's documentation from the service's own OpenAPI document; asks no other host.
const place = document.getElementById("documentation");
SwaggerUIBundle({
  url: place.dataset.address,
  domNode: place,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
});
