// A file of its own: the page's content security policy allows no inline script.
window.SwaggerUIBundle({
  url: "/docs/json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null, // its default asks another host
});
