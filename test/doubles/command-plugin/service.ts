import { randomBytes } from "node:crypto";
import { status, type handleUnaryCall, type UntypedServiceImplementation } from "@grpc/grpc-js";
import type {
  CheckRequest,
  CreateRequest,
  DeleteRequest,
  DiffRequest,
  ReadRequest,
  UpdateRequest,
} from "@pulumi/pulumi/proto/provider_pb.js";
import type { PluginAttach } from "@pulumi/pulumi/proto/plugin_pb.js";
import { openEngineLog, type EngineLog } from "../../../src/provider/wire/engine-log.ts";
import {
  decodeMap,
  encodeMap,
  reveal,
  unknownValue,
  type PropertyMap,
} from "../../../src/provider/wire/property-values.ts";
import { Empty, pluginMessages, providerMessages } from "../../../src/provider/wire/proto.ts";
import { changedInputs, commandInputs, problemsOf, withDefaults, type CommandInputs } from "./inputs.ts";
import { runRemotely, type CommandOutput, type RemoteRun } from "./remote-run.ts";

const version = "1.2.1";
const token = "command:remote:Command";

interface Plugin {
  readonly environment: NodeJS.ProcessEnv;
  readonly runs: RemoteRun[];
  readonly logged: string[];
}

/** Pulumi's provider protocol for `command:remote:Command`. */
export function commandService(plugin: Plugin): UntypedServiceImplementation {
  let log: EngineLog | undefined;
  const runner = new CommandRunner(plugin, (urn, message) => {
    plugin.logged.push(message);
    void log?.write(urn, "info", message, true);
  });
  const { ConfigureResponse } = providerMessages;
  return {
    attach: unary((request: PluginAttach) => {
      log ??= openEngineLog(request.getAddress());
      return new Empty();
    }),
    getPluginInfo: unary(() => new pluginMessages.PluginInfo().setVersion(version)),
    checkConfig: unary((request: CheckRequest) => new providerMessages.CheckResponse().setInputs(request.getNews())),
    diffConfig: unary(() => new providerMessages.DiffResponse()),
    configure: unary(() =>
      new ConfigureResponse()
        .setAcceptsecrets(true)
        .setAcceptresources(true)
        .setAcceptoutputs(true)
        .setSupportspreview(true),
    ),
    cancel: unary(() => new Empty()),
    check: unary(check),
    diff: unary(diff),
    create: unary((request: CreateRequest) => runner.create(request)),
    update: unary((request: UpdateRequest) => runner.update(request)),
    delete: unary((request: DeleteRequest) => runner.delete(request)),
    /** The plugin has no way to look: what the state says is taken for what is. */
    read: unary((request: ReadRequest) =>
      new providerMessages.ReadResponse()
        .setId(request.getId())
        .setInputs(request.getInputs())
        .setProperties(request.getProperties()),
    ),
  };
}

function check(request: CheckRequest) {
  const { CheckFailure, CheckResponse } = providerMessages;
  if (!request.getUrn().includes(token)) throw new Error(`the double does not know the type of ${request.getUrn()}`);
  const inputs = withDefaults(decodeMap(request.getNews()));
  const failures = problemsOf(inputs).map(({ property, reason }) =>
    new CheckFailure().setProperty(property).setReason(reason),
  );
  return new CheckResponse().setInputs(encodeMap(inputs)).setFailuresList(failures);
}

function diff(request: DiffRequest) {
  const { DiffResponse, PropertyDiff } = providerMessages;
  const changed = changedInputs(decodeMap(request.getOldInputs()), decodeMap(request.getNews()));
  const replaces = changed.filter((name) => name === "triggers");
  const response = new DiffResponse().setHasdetaileddiff(true).setDiffsList(changed).setReplacesList(replaces);
  response.setChanges(changed.length === 0 ? DiffResponse.DiffChanges.DIFF_NONE : DiffResponse.DiffChanges.DIFF_SOME);
  for (const name of changed) {
    const kind = name === "triggers" ? PropertyDiff.Kind.UPDATE_REPLACE : PropertyDiff.Kind.UPDATE;
    response.getDetaileddiffMap().set(name, new PropertyDiff().setKind(kind).setInputdiff(true));
  }
  return response;
}

/** What the three operations that change something do. */
class CommandRunner {
  readonly #plugin: Plugin;
  readonly #log: (urn: string, message: string) => void;

  constructor(plugin: Plugin, log: (urn: string, message: string) => void) {
    this.#plugin = plugin;
    this.#log = log;
  }

  async create(request: CreateRequest) {
    const inputs = decodeMap(request.getProperties());
    const response = new providerMessages.CreateResponse();
    if (request.getPreview()) return response.setProperties(encodeMap({ ...inputs, ...unknownOutput }));
    const { create } = readInputs(inputs);
    const output = await this.#run(request.getUrn(), "create", create, inputs, noOutput);
    const name = request.getUrn().split("::").slice(3).join("::");
    const id = `${name}${randomBytes(4).toString("hex")}`;
    return response.setId(id).setProperties(encodeMap({ ...inputs, ...output }));
  }

  async update(request: UpdateRequest) {
    const inputs = decodeMap(request.getNews());
    const previous = outputOf(decodeMap(request.getOlds()));
    const response = new providerMessages.UpdateResponse();
    if (request.getPreview()) return response.setProperties(encodeMap({ ...inputs, ...previous }));
    const { create, update } = readInputs(inputs);
    const output = await this.#run(request.getUrn(), "update", update ?? create, inputs, previous);
    return response.setProperties(encodeMap({ ...inputs, ...output }));
  }

  async delete(request: DeleteRequest) {
    const { stdout = "", stderr = "", ...inputs } = decodeMap(request.getProperties());
    const { delete: command } = readInputs(inputs);
    await this.#run(request.getUrn(), "delete", command, inputs, outputOf({ stdout, stderr }));
    return new Empty();
  }

  async #run(
    urn: string,
    kind: RemoteRun["kind"],
    command: string | undefined,
    inputs: PropertyMap,
    previous: CommandOutput,
  ): Promise<CommandOutput> {
    if (command === undefined) return previous;
    this.#plugin.runs.push({ urn, kind, command });
    const { environment } = this.#plugin;
    const log = (message: string): void => {
      this.#log(urn, message);
    };
    return runRemotely(command, { inputs: readInputs(inputs), previous, environment, log });
  }
}

const noOutput: CommandOutput = { stdout: "", stderr: "" };
const unknownOutput: PropertyMap = { stdout: unknownValue, stderr: unknownValue };

function readInputs(inputs: PropertyMap): CommandInputs {
  return commandInputs.parse(reveal(inputs));
}

function outputOf(state: PropertyMap): CommandOutput {
  const { stdout = "", stderr = "" } = state;
  return { stdout: String(reveal(stdout)), stderr: String(reveal(stderr)) };
}

function unary<Request, Response>(
  serve: (request: Request) => Response | Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    Promise.resolve(call.request)
      .then(serve)
      .then(
        (response) => {
          callback(null, response);
        },
        (thrown: unknown) => {
          callback({ code: status.UNKNOWN, details: thrown instanceof Error ? thrown.message : String(thrown) });
        },
      );
  };
}
