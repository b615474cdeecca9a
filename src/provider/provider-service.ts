import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import type {
  CheckRequest,
  ConfigureRequest,
  DiffRequest,
  ProviderHandshakeRequest,
} from "@pulumi/pulumi/proto/provider_pb.js";
import type { PluginAttach } from "@pulumi/pulumi/proto/plugin_pb.js";
import { IkomaError } from "../core/errors.ts";
import { inputProblems } from "./check-inputs.ts";
import { decodeMap, reveal, type PropertyMap } from "./wire/property-values.ts";
import { pluginMessages, providerMessages, Empty } from "./wire/proto.ts";
import { checkResponse, diffResponse } from "./wire/responses.ts";
import { providerConfig } from "./hosts/provider-config.ts";
import type { ProviderSession } from "./provider-session.ts";
import { changes } from "./resource-calls.ts";
import { resourceService } from "./resource-service.ts";
import { unary } from "./wire/unary.ts";

/** Keys that the engine and the SDK add to a provider's inputs. */
const engineKeys = new Set(["version", "pluginDownloadURL", "pluginChecksums", "__internal"]);

/** Pulumi's provider protocol over the handlers of `registry.ts`: who we are, how an instance is configured, and its resources. */
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
    ...resourceService(session),
  };
}

function configuration(session: ProviderSession): UntypedServiceImplementation {
  return {
    checkConfig: unary(session, (request: CheckRequest) =>
      checkResponse(request.getNews(), inputProblems(providerConfig, ownKeys(decodeMap(request.getNews())))),
    ),
    /**
     * Another host is another place for everything on it; another way to the same host changes nothing. Where this
     * process knows the way by itself (see {@link CurrentConfig}), it is not even a change of the provider.
     */
    diffConfig: unary(session, (request: DiffRequest) => {
      const olds = ownKeys(decodeMap(request.getOldInputs() ?? request.getOlds()));
      const news = ownKeys(decodeMap(request.getNews()));
      const silent = session.waysKnownAnyhow(reveal(news["host"] ?? null));
      return diffResponse(changes({ identity: ["host"], silent }, olds, news));
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
