// One page. Change the greeting while `devmount up` runs, and look again.
const http = require("node:http");

const server = http.createServer((request, response) => {
  response.setHeader("content-type", "text/plain");
  response.end("Hello from the container\n");
});

server.listen(8000, "0.0.0.0");
