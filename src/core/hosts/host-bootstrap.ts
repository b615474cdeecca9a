import type { Handshake } from "../../agent/protocol/views.ts";
import type { HostSetup, HostWay } from "../config/schema.ts";
import { openHostAgent, wayLabel } from "../transport/host-agent.ts";
import { openShell } from "../transport/host-shell.ts";
import type { SshConnection } from "../transport/ssh-connection.ts";
import { keepApiToken, requireApiToken } from "./host-api-token.ts";
import { checkHost, faultOf } from "./host-checks.ts";
import { installCompose, installEngine } from "./host-engine.ts";
import { readHostFacts, type HostFacts } from "./host-facts.ts";
import { imagesOf, installAgent } from "./host-install.ts";
import { loginToRegistry, type RegistryLogin } from "./host-registry-login.ts";

/** What a step came to. */
export interface StepOutcome<T> {
  readonly value: T;
  readonly changed: boolean;
  /** What it found or did, for people. */
  readonly text?: string;
}

/** Who is told of the steps. */
export interface BootstrapReporter {
  /** Runs a step, telling when it begins, what it says meanwhile, and how and after how long it ended. */
  step<T>(title: string, work: (note: (text: string) => void) => Promise<StepOutcome<T>>): Promise<T>;
  warn(text: string): void;
}

/** What a host is to be made ready with. */
export interface BootstrapRequest {
  readonly name: string;
  readonly way: HostWay;
  readonly setup: HostSetup;
  /** Version of agent and edge. */
  readonly version: string;
  /** Whether missing software may be installed. */
  readonly install: boolean;
  readonly login?: RegistryLogin;
  /** What its agent proves itself to the API with; without it the one stays that it has. */
  readonly apiToken?: string;
  /** Runs the steps that the stack `hosts` has for it before anything is asked of it; tells which. */
  readonly prepare?: (onStep: (message: string) => void) => Promise<void>;
  /** Puts agent and edge in place as the stack `hosts` says; tells what it changes. */
  readonly rollOut: (onStep: (message: string) => void) => Promise<void>;
}

/**
 * Makes a server ready for apps. Each step looks first and changes only what is not yet as it should be, so it can be
 * repeated at any time; a second run changes nothing.
 *
 * @throws HOST_SHELL_NEEDED, HOST_UNSUPPORTED, DISK_FULL with everything that stands in the way; what single steps throw
 */
export async function bootstrapHost(request: BootstrapRequest, reporter: BootstrapReporter): Promise<Handshake> {
  const { name, way, setup, version, login } = request;
  const connect = (): Promise<SshConnection> => openShell({ name, way }, "the bootstrap of");
  await reporter.step(`connect to ${name}`, async () => unchanged(await connect(), wayLabel(way)));
  if (request.prepare !== undefined) await prepareHost(request.prepare, reporter);
  // A step may have restarted sshd.
  const connection = await connect();
  const facts = await prepareEngine(connection, request, reporter);
  const image = imagesOf(setup, version).agent;
  if (login !== undefined) await keepLogin(connection, image, login, reporter);
  await prepareApi(connection, image, request, reporter);
  const agent = await openHostAgent({ name, way });
  try {
    const handshake = await reporter.step("set up agent and edge", async (note) => {
      let isChanged = false;
      const onStep = (text: string): void => {
        isChanged = true;
        note(text);
      };
      await request.rollOut(onStep);
      // The stack knows of versions and settings; an agent that is broken or was tampered with is seen only by looking.
      await installAgent(connection, agent, { setup, version }, onStep);
      const answer = await agent.handshake();
      return { value: answer, changed: isChanged, text: `agent ${answer.agentVersion}, edge ${answer.edgeVersion}` };
    });
    if (request.install && facts.compose === "") await addCompose(connection, image, reporter);
    return handshake;
  } finally {
    await agent.close();
  }
}

function prepareHost(prepare: NonNullable<BootstrapRequest["prepare"]>, reporter: BootstrapReporter): Promise<void> {
  return reporter.step("prepare the host", async (note) => {
    const done: string[] = [];
    await prepare((text) => {
      done.push(text);
      note(text);
    });
    const text = done.length === 0 ? "as it should be" : done.join(", ");
    return { value: undefined, changed: done.length > 0, text };
  });
}

/** Checks the host, installs an engine if that may be, and gives what is there then. */
async function prepareEngine(
  connection: SshConnection,
  request: BootstrapRequest,
  reporter: BootstrapReporter,
): Promise<HostFacts> {
  const facts = await reporter.step("check the host", async () => {
    const found = await readHostFacts(connection);
    const fault = faultOf(request.name, checkHost(found, request.setup), request.install);
    if (fault !== undefined) throw fault;
    return unchanged(found, describe(found));
  });
  if (facts.engine.state === "ready") {
    warnOf(facts, request, reporter);
    return facts;
  }
  await reporter.step("install the Docker engine", async (note) => {
    const engine = await installEngine(connection, note);
    return { value: undefined, changed: true, text: engine };
  });
  const after = await readHostFacts(connection);
  const fault = faultOf(request.name, checkHost(after, request.setup), request.install);
  if (fault !== undefined) throw fault;
  warnOf(after, request, reporter);
  return after;
}

function warnOf(facts: HostFacts, { setup, install }: BootstrapRequest, reporter: BootstrapReporter): void {
  for (const { severity, message, hint } of checkHost(facts, setup)) {
    const isMended = install && facts.compose === "" && message.includes("docker compose");
    if (severity === "warning" && !isMended) reporter.warn(`${message} ${hint}`);
  }
}

function keepLogin(
  connection: SshConnection,
  image: string,
  login: RegistryLogin,
  reporter: BootstrapReporter,
): Promise<void> {
  return reporter.step(`log in to ${login.registry}`, async () => ({
    value: undefined,
    changed: await loginToRegistry(connection, image, login),
    text: `as ${login.user}`,
  }));
}

async function prepareApi(
  connection: SshConnection,
  image: string,
  { name, setup, apiToken }: BootstrapRequest,
  reporter: BootstrapReporter,
): Promise<void> {
  if (apiToken !== undefined) {
    await reporter.step("keep the token for the API", async () => ({
      value: undefined,
      changed: await keepApiToken(connection, image, apiToken),
    }));
  } else if (setup.api !== undefined) await requireApiToken(connection, image, name);
}

function addCompose(connection: SshConnection, image: string, reporter: BootstrapReporter): Promise<void> {
  return reporter.step("put docker compose there", async () => {
    const version = await installCompose(connection, image);
    return { value: undefined, changed: true, text: version };
  });
}

function describe({ osName, engine, compose, diskFreeBytes }: HostFacts): string {
  const parts = [osName || "unknown system", engine.state === "ready" ? `engine ${engine.version}` : "no engine"];
  if (compose !== "") parts.push(`compose ${compose}`);
  parts.push(`${(diskFreeBytes / 1024 ** 3).toFixed(0)} GiB free`);
  return parts.join(", ");
}

function unchanged<T>(value: T, text: string): StepOutcome<T> {
  return { value, changed: false, text };
}
