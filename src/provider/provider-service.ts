import type { handleUnaryCall, ServerUnaryCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import type {
  CheckRequest,
  ConfigureRequest,
  CreateRequest,
  DeleteRequest,
  DiffRequest,
  ProviderHandshakeRequest,
  ReadRequest,
  UpdateRequest,
} from "@pulumi/pulumi/proto/provider_pb.js";
import type { PluginAttach } from "@pulumi/pulumi/proto/plugin_pb.js";
import { IkomaError, toIkomaError } from "../core/errors.ts";
import { inputProblems } from "./check-inputs.ts";
import { decodeMap, encodeMap, reveal, type PropertyMap } from "./property-values.ts";
import { pluginMessages, providerMessages, Empty } from "./proto.ts";
import { checkResponse, diffResponse } from "./responses.ts";
import { providerConfig } from "./provider-config.ts";
import type { ProviderSession } from "./provider-session.ts";
import * as resource from "./resource-calls.ts";
import { handlers } from "./registry.ts";
import type { ResourceHandler } from "./resource-handler.ts";
import { toServiceError } from "./rpc-error.ts";

/** Keys that the engine and the SDK add to a provider's inputs. */
const engineKeys = new Set(["version", "pluginDownloadURL", "pluginChecksums", "__internal"]);

/** Pulumi's provider protocol over the handlers of `registry.ts`. Only `read`, `create`, `update` and `delete` dial a host. */
export function providerService(session: ProviderSession): UntypedServiceImplementation {
  return {
    handshake: unary(session, (request: ProviderHandshakeRequest) => {
      session.connectEngine(request.getEngineAddress());
      const { ProviderHandshakeResponse } = providerMessages;
      return new ProviderHandshakeResponse().setAcceptSecrets(true).setAcceptResources(true).setAcceptOutputs(true);
    }),
    attach: unary(session, (request: PluginAttach) => {
      session.connectEngine(request.getAddress());
      return new Empty();
    }),
    getPluginInfo: unary(session, () => new pluginMessages.PluginInfo().setVersion(session.version)),
    getSchema: unary(session, () =>
      new providerMessages.GetSchemaResponse().setSchema(JSON.stringify({ name: "ikoma", version: session.version })),
    ),
    cancel: unary(session, () => {
      session.cancel();
      return new Empty();
    }),
    ...configuration(session),
    ...resources(session),
  };
}

function configuration(session: ProviderSession): UntypedServiceImplementation {
  return {
    checkConfig: unary(session, (request: CheckRequest) =>
      checkResponse(request.getNews(), inputProblems(providerConfig, ownKeys(decodeMap(request.getNews())))),
    ),
    /** Another host is another place for everything on it; another way to the same host changes nothing. */
    diffConfig: unary(session, (request: DiffRequest) => {
      const olds = ownKeys(decodeMap(request.getOldInputs() ?? request.getOlds()));
      const news = ownKeys(decodeMap(request.getNews()));
      return diffResponse(resource.changes({ identity: ["host"], silent: [] }, olds, news));
    }),
    configure: unary(session, async (request: ConfigureRequest, call) => {
      const config = providerConfig.safeParse(reveal(ownKeys(decodeMap(request.getArgs()))));
      if (!config.success)
        throw new IkomaError("CONFIG_INVALID", `The provider's configuration is not complete: ${config.error.message}`);
      await session.hosts.configure(call.getPeer(), config.data);
      const { ConfigureResponse } = providerMessages;
      return new ConfigureResponse()
        .setAcceptsecrets(true)
        .setAcceptresources(true)
        .setAcceptoutputs(true)
        .setSupportspreview(true);
    }),
  };
}

function ownKeys(map: PropertyMap): PropertyMap {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !engineKeys.has(key)));
}

function resources(session: ProviderSession): UntypedServiceImplementation {
  return {
    check: unary(session, (request: CheckRequest) =>
      checkResponse(request.getNews(), inputProblems(handlerOf(request.getUrn()).inputs, decodeMap(request.getNews()))),
    ),
    diff: unary(session, (request: DiffRequest) => {
      const olds = decodeMap(request.getOldInputs() ?? request.getOlds());
      return diffResponse(resource.changes(handlerOf(request.getUrn()), olds, decodeMap(request.getNews())));
    }),
    read: unary(session, readResource),
    create: unary(session, createResource),
    update: unary(session, updateResource),
    delete: unary(session, async (request: DeleteRequest, call) => {
      const stored = {
        id: request.getId(),
        inputs: decodeMap(request.getOldInputs()),
        outputs: decodeMap(request.getProperties()),
      };
      await session.serve(call.getPeer(), request.getUrn(), (each) =>
        resource.remove(handlerOf(request.getUrn()), each, stored),
      );
      return new Empty();
    }),
  };

  async function readResource(request: ReadRequest, call: Peer) {
    const { ReadResponse } = providerMessages;
    const urn = request.getUrn();
    const stored = {
      id: request.getId(),
      inputs: decodeMap(request.getInputs()),
      outputs: decodeMap(request.getProperties()),
    };
    const response = new ReadResponse().setRefreshBeforeUpdate(true);
    if (session.hosts.of(call.getPeer()).offline) {
      session.warn(urn, "drift unknown: the provider is offline and did not look at the host");
      return response.setId(stored.id).setInputs(encodeMap(stored.inputs)).setProperties(encodeMap(stored.outputs));
    }
    const found = await session.serve(call.getPeer(), urn, (each) => resource.read(handlerOf(urn), each, stored));
    if (found === undefined) return response;
    return response.setId(stored.id).setInputs(encodeMap(found.inputs)).setProperties(encodeMap(found.outputs));
  }

  async function createResource(request: CreateRequest, call: Peer) {
    const { CreateResponse } = providerMessages;
    const response = new CreateResponse().setRefreshBeforeUpdate(true);
    if (request.getPreview()) return response.setProperties(request.getProperties());
    const inputs = decodeMap(request.getProperties());
    const urn = request.getUrn();
    const partial = { id: nameOf(urn), inputs };
    const { id, outputs } = await session.serve(
      call.getPeer(),
      urn,
      (each) => resource.create(handlerOf(urn), each, inputs),
      partial,
    );
    return response.setId(id).setProperties(encodeMap(outputs));
  }

  async function updateResource(request: UpdateRequest, call: Peer) {
    const { UpdateResponse } = providerMessages;
    const response = new UpdateResponse().setRefreshBeforeUpdate(true);
    if (request.getPreview()) return response.setProperties(request.getNews());
    const inputs = decodeMap(request.getNews());
    const urn = request.getUrn();
    const stored = {
      id: request.getId(),
      inputs: decodeMap(request.getOldInputs()),
      outputs: decodeMap(request.getOlds()),
    };
    const update = await session.serve(
      call.getPeer(),
      urn,
      (each) => resource.update(handlerOf(urn), each, stored, inputs),
      { id: stored.id, inputs },
    );
    return response.setProperties(encodeMap(update));
  }
}

type Peer = Pick<ServerUnaryCall<unknown, unknown>, "getPeer">;

/** `urn:pulumi:stack::project::parent$ikoma:vps:Release::name` */
function handlerOf(urn: string): ResourceHandler {
  const token = urn.split("::")[2]?.split("$").at(-1) ?? "";
  const handler = handlers.find((each) => each.token === token);
  if (handler === undefined) throw new IkomaError("CONFIG_INVALID", `The provider ikoma has no resource ${token}.`);
  return handler;
}

function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

function unary<Request, Response>(
  session: ProviderSession,
  serve: (request: Request, call: Peer) => Response | Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => serve(call.request, call))
      .then(
        (response) => {
          callback(null, response);
        },
        (thrown: unknown) => {
          callback(toServiceError(toIkomaError(thrown), session.partialOf(thrown)));
        },
      );
  };
}
