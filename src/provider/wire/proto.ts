import { createRequire } from "node:module";
import type * as EngineServices from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type * as EngineMessages from "@pulumi/pulumi/proto/engine_pb.js";
import type * as PluginMessages from "@pulumi/pulumi/proto/plugin_pb.js";
import type * as ProviderServices from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type * as ProviderMessages from "@pulumi/pulumi/proto/provider_pb.js";
import type * as StructMessages from "google-protobuf/google/protobuf/struct_pb.js";
import type * as AnyMessages from "google-protobuf/google/protobuf/any_pb.js";
import type * as StatusMessages from "@pulumi/pulumi/proto/status_pb.js";
import type * as EmptyMessages from "google-protobuf/google/protobuf/empty_pb.js";

/**
 * The messages and services of Pulumi's protocol, and nothing else of the SDK: its main entry takes
 * half a second to load. The stubs are CommonJS and check with `instanceof`, so `Struct` and `Empty`
 * have to come from the very copy of google-protobuf that the SDK itself resolves.
 */
const fromSdk = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi/package.json"));

export const providerMessages = fromSdk("./proto/provider_pb.js") as typeof ProviderMessages;
export const providerServices = fromSdk("./proto/provider_grpc_pb.js") as typeof ProviderServices;
export const pluginMessages = fromSdk("./proto/plugin_pb.js") as typeof PluginMessages;
export const engineMessages = fromSdk("./proto/engine_pb.js") as typeof EngineMessages;
export const engineServices = fromSdk("./proto/engine_grpc_pb.js") as typeof EngineServices;
export const statusMessages = fromSdk("./proto/status_pb.js") as typeof StatusMessages;
const anyMessages = fromSdk("google-protobuf/google/protobuf/any_pb.js") as typeof AnyMessages;
const structMessages = fromSdk("google-protobuf/google/protobuf/struct_pb.js") as typeof StructMessages;
const emptyMessages = fromSdk("google-protobuf/google/protobuf/empty_pb.js") as typeof EmptyMessages;

export const { Struct, Value, ListValue, NullValue } = structMessages;
export const { Empty } = emptyMessages;
export const { Any } = anyMessages;
export type Struct = StructMessages.Struct;
export type Value = StructMessages.Value;
export type Empty = EmptyMessages.Empty;
