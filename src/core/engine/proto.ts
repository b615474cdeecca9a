import { createRequire } from "node:module";
import type * as EventServices from "@pulumi/pulumi/proto/events_grpc_pb.js";
import type * as LanguageServices from "@pulumi/pulumi/proto/language_grpc_pb.js";
import type * as LanguageMessages from "@pulumi/pulumi/proto/language_pb.js";
import type * as PluginMessages from "@pulumi/pulumi/proto/plugin_pb.js";
import type * as EmptyMessages from "google-protobuf/google/protobuf/empty_pb.js";

/** The parts of Pulumi's protocol that the runner answers itself, before the SDK is loaded; see `src/provider/proto.ts`. */
const fromSdk = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi/package.json"));

export const eventServices = fromSdk("./proto/events_grpc_pb.js") as typeof EventServices;
export const languageServices = fromSdk("./proto/language_grpc_pb.js") as typeof LanguageServices;
export const languageMessages = fromSdk("./proto/language_pb.js") as typeof LanguageMessages;
export const pluginMessages = fromSdk("./proto/plugin_pb.js") as typeof PluginMessages;
export const { Empty } = fromSdk("google-protobuf/google/protobuf/empty_pb.js") as typeof EmptyMessages;
