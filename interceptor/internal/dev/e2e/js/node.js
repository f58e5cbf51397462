// Node.js: reads {url, protocol, calls} from standard input and prints the answers.
import { subscribe } from "node:diagnostics_channel";
import { readFileSync, writeFileSync } from "node:fs";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { call } from "./calls.js";

const { url: baseUrl, protocol, calls } = JSON.parse(readFileSync(0, "utf8"));

const transport = {
  connect: () => createConnectTransport({ baseUrl, httpVersion: "2" }),
  connect_get: () => createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet: true }),
  grpc: () => createGrpcTransport({ baseUrl }),
  grpcweb: () => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
}[protocol]();

let get = false;
subscribe("http.client.request.start", ({ request }) => (get = request.method === "GET")); // HTTP/1.1 alone

const answers = [];
for (const one of calls) {
  answers.push({ ...(await call(transport, one)), get });
}
writeFileSync(1, JSON.stringify(answers));
process.exit(); // rather than keep connections for later
