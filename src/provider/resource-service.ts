import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import type {
  CheckRequest,
  CheckResponse,
  CreateRequest,
  CreateResponse,
  DeleteRequest,
  DiffRequest,
  ReadRequest,
  ReadResponse,
  UpdateRequest,
  UpdateResponse,
} from "@pulumi/pulumi/proto/provider_pb.js";
import { driftUnknown } from "../core/config/offline.ts";
import { IkomaError, toIkomaError } from "../core/errors.ts";
import { inputProblems } from "./check-inputs.ts";
import { decodeMap, encodeMap, hasUnknown, type PropertyMap } from "./wire/property-values.ts";
import { Empty, providerMessages } from "./wire/proto.ts";
import type { ProviderSession } from "./provider-session.ts";
import type { ReadFinding } from "./read-report.ts";
import { handlers } from "./registry.ts";
import * as resource from "./resource-calls.ts";
import type { ResourceCall, ResourceHandler } from "./resource-handler.ts";
import { checkResponse, diffResponse } from "./wire/responses.ts";
import { unary, type Peer } from "./wire/unary.ts";

/** The methods of the protocol that are about resources. Only `read`, `create`, `update` and `delete` dial a host, and none in a preview but `read` (and `plan` of what must be judged there). */
export function resourceService(session: ProviderSession): UntypedServiceImplementation {
  return {
    check: unary(session, (request: CheckRequest, call) => checkResource(session, request, call)),
    diff: unary(session, (request: DiffRequest) => {
      const olds = decodeMap(request.getOldInputs() ?? request.getOlds());
      return diffResponse(resource.changes(handlerOf(request.getUrn()), olds, decodeMap(request.getNews())));
    }),
    read: unary(session, (request: ReadRequest, call) => readResource(session, request, call)),
    create: unary(session, (request: CreateRequest, call) => createResource(session, request, call)),
    update: unary(session, (request: UpdateRequest, call) => updateResource(session, request, call)),
    delete: unary(session, (request: DeleteRequest, call) => deleteResource(session, request, call)),
  };
}

function checkResource(session: ProviderSession, request: CheckRequest, call: Peer): CheckResponse {
  const urn = request.getUrn();
  const handler = handlerOf(urn);
  const inputs = decodeMap(request.getNews());
  const thing = thingOf(handler, inputs);
  if (thing !== undefined) session.claim(call.getPeer(), thing, urn);
  return checkResponse(request.getNews(), inputProblems(handler.inputs, inputs));
}

async function readResource(session: ProviderSession, request: ReadRequest, call: Peer): Promise<ReadResponse> {
  const urn = request.getUrn();
  const peer = call.getPeer();
  const host = session.hosts.of(peer);
  const outputs = decodeMap(request.getProperties());
  const stored = { id: request.getId(), inputs: decodeMap(request.getInputs()), outputs };
  const report = (found: ReadFinding): boolean =>
    session.reportRead({ urn, host: host.name, app: appOf(outputs), found });
  // The engine then reads before each update, in a preview too: a plain `up` repairs what was changed behind its back.
  const response = new providerMessages.ReadResponse().setRefreshBeforeUpdate(true);
  if (host.isForgotten) return response;
  const asStored = (): ReadResponse =>
    response.setId(stored.id).setInputs(encodeMap(stored.inputs)).setProperties(encodeMap(stored.outputs));
  if (host.offline) {
    // Before the answer: the plan must not be complete without it.
    await session.warn(urn, driftUnknown);
    report({ state: "unread", error: new IkomaError("AGENT_OFFLINE", `${host.name} is offline in the settings.`) });
    return asStored();
  }
  try {
    const found = await session.serve(peer, urn, (each) => resource.read(handlerOf(urn), each, stored));
    if (found === undefined) {
      report({ state: "gone" });
      // Without an id the engine takes the resource for gone.
      return response;
    }
    if (!("unread" in found)) report({ state: "present", drift: found.drift });
    else if (!report({ state: "unread", error: found.unread }))
      await session.warn(urn, `not looked at: ${found.unread.message}`);
    return response.setId(stored.id).setInputs(encodeMap(found.inputs)).setProperties(encodeMap(found.outputs));
  } catch (thrown) {
    if (report({ state: "unread", error: toIkomaError(thrown) })) return asStored();
    throw thrown;
  }
}

async function createResource(session: ProviderSession, request: CreateRequest, call: Peer): Promise<CreateResponse> {
  const response = new providerMessages.CreateResponse().setRefreshBeforeUpdate(true);
  const urn = request.getUrn();
  const inputs = decodeMap(request.getProperties());
  if (request.getPreview()) {
    await session.tellPolicy(urn, appOf(inputs));
    await planChange(session, { peer: call.getPeer(), urn, inputs });
    return response.setProperties(request.getProperties());
  }
  const work = (each: ResourceCall) => resource.create(handlerOf(urn), each, inputs);
  const changed = { peer: call.getPeer(), urn, app: appOf(inputs) };
  const { id, outputs } = await session.change(changed, work, { id: idOf(urn, inputs), inputs });
  return response.setId(id).setProperties(encodeMap(outputs));
}

async function updateResource(session: ProviderSession, request: UpdateRequest, call: Peer): Promise<UpdateResponse> {
  const response = new providerMessages.UpdateResponse().setRefreshBeforeUpdate(true);
  const urn = request.getUrn();
  const inputs = decodeMap(request.getNews());
  const outputs = decodeMap(request.getOlds());
  const stored = { id: request.getId(), inputs: decodeMap(request.getOldInputs()), outputs };
  if (request.getPreview()) {
    await session.tellPolicy(urn, appOf(inputs));
    await planChange(session, { peer: call.getPeer(), urn, inputs, stored });
    return response.setProperties(request.getNews());
  }
  const work = (each: ResourceCall) => resource.update(handlerOf(urn), each, stored, inputs);
  const changed = { peer: call.getPeer(), urn, app: appOf(inputs) };
  const updated = await session.change(changed, work, { id: stored.id, inputs });
  return response.setProperties(encodeMap(updated));
}

interface PlannedChange {
  readonly peer: string;
  readonly urn: string;
  readonly inputs: PropertyMap;
  /** Of a resource that is there. */
  readonly stored?: resource.Stored;
}

/**
 * A host that cannot be asked now refuses nothing yet, nor one that could not be told all: the change itself will be
 * judged there.
 */
async function planChange(session: ProviderSession, { peer, urn, inputs, stored }: PlannedChange): Promise<void> {
  const handler = handlerOf(urn);
  const host = session.hosts.of(peer);
  if (handler.plan === undefined || host.offline || hasUnknown(inputs)) return;
  try {
    await host.agent();
  } catch (thrown) {
    await session.warn(urn, `not looked at beforehand: ${toIkomaError(thrown).message}`);
    return;
  }
  await session.serve(peer, urn, (each) => resource.plan(handler, each, inputs, stored));
}

async function deleteResource(session: ProviderSession, request: DeleteRequest, call: Peer): Promise<Empty> {
  const urn = request.getUrn();
  const outputs = decodeMap(request.getProperties());
  const stored = { id: request.getId(), inputs: decodeMap(request.getOldInputs()), outputs };
  const thing = thingOf(handlerOf(urn), outputs);
  const owner = thing === undefined ? undefined : session.ownerOf(call.getPeer(), thing);
  if (owner !== undefined) {
    await session.warn(urn, `stays on the host: it is ${owner} now`);
    return new Empty();
  }
  const changed = { peer: call.getPeer(), urn, app: appOf(outputs) };
  await session.change(changed, (each) => resource.remove(handlerOf(urn), each, stored));
  return new Empty();
}

/** `urn:pulumi:stack::project::parent$ikoma:vps:Release::name` */
function handlerOf(urn: string): ResourceHandler {
  const token = urn.split("::")[2]?.split("$").at(-1) ?? "";
  const handler = handlers.find((each) => each.token === token);
  if (handler === undefined) throw new IkomaError("CONFIG_INVALID", `The provider ikoma has no resource ${token}.`);
  return handler;
}

/**
 * What of a host a resource stands for: a part of an app, an image, or the host's one agent. A resource that was renamed
 * in the program, or replaced because its host was, is created (that is, adopted) before the old one is deleted; deleting
 * must not take away what the new one stands for.
 */
function thingOf({ token, identity }: ResourceHandler, inputs: PropertyMap): string | undefined {
  const { app, repository, digest } = inputs;
  if (identity.length === 0) return token;
  if (typeof repository === "string" && typeof digest === "string") return `${token} ${repository}@${digest}`;
  return typeof app === "string" ? `${token} ${app}` : undefined;
}

/** What a half-made resource is recorded under: its app, or its own name. */
function idOf(urn: string, inputs: PropertyMap): string {
  return appOf(inputs) ?? urn.split("::").slice(3).join("::");
}

function appOf({ app }: PropertyMap): string | undefined {
  return typeof app === "string" ? app : undefined;
}
