// Makes the calls of a table and tells how they were answered, over any transport.
import { createRegistry, fromJson, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { ErrorInfoSchema } from "gen/google/rpc/error_details_pb.js";
import { file_sample_v1_account } from "gen/sample/v1/account_pb.js";
import { file_sample_v1_catalog } from "gen/sample/v1/catalog_pb.js";
import { file_sample_v1_document } from "gen/sample/v1/document_pb.js";
import { file_sample_v1_member } from "gen/sample/v1/member_pb.js";
import { patience } from "./patience.js";

const registry = createRegistry(file_sample_v1_account, file_sample_v1_catalog, file_sample_v1_document, file_sample_v1_member);

// call makes one call and returns its answer, in the form of answer in call_test.go.
export async function call(transport, { service: typeName, method: name, header, requests, take }) {
  const service = registry.getService(typeName);
  const method = service.methods.find((method) => method.name === name);
  const rpc = createClient(service, transport)[method.localName];
  const input = requests.map((request) => fromJson(method.input, request));
  const abort = new AbortController();
  const options = { headers: header ?? {}, signal: abort.signal, timeoutMs: patience };
  const messages = [];
  try {
    const clientStreams = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
    const answered = rpc(clientStreams ? each(input) : input[0], options);
    for await (const message of Symbol.asyncIterator in answered ? answered : each([await answered])) {
      messages.push(toJson(method.output, message));
      if (messages.length === take) {
        abort.abort();
        break;
      }
    }
    return { messages };
  } catch (error) {
    if (!(error instanceof ConnectError)) {
      throw error;
    }
    const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === "protoauthz");
    return {
      code: Code[error.code].replace(/\B[A-Z]/g, "_$&").toLowerCase(), // such as permission_denied
      reason: info?.reason ?? "",
      requiredScopes: info?.metadata.required_scopes ?? "",
      challenge: error.metadata.get("WWW-Authenticate") ?? "",
      messages,
    };
  }
}

async function* each(values) {
  yield* values;
}
