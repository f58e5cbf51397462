// The web page: makes one call when it is told to.
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { call } from "./calls.js";

const transports = {
  connect: (baseUrl) => createConnectTransport({ baseUrl }),
  connect_get: (baseUrl) => createConnectTransport({ baseUrl, useHttpGet: true }),
  grpcweb: (baseUrl) => createGrpcWebTransport({ baseUrl }),
};

window.callSample = ({ url, protocol, one }) => call(transports[protocol](url), one);
