import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { withLabLock } from "./lab-lock.ts";
import { registryAddress, registryHost, registryPort } from "./registry-address.ts";
import { runChecked, runCommand } from "./run-command.ts";

/** Fixed, because the engine remembers by address which layers a registry has. */
const forwardPort = 5077;

const pushTimeoutMs = 300_000;

/** An engine that was not started by scripts/setup trusts plain HTTP on loopback only. */
const engineTrustsRegistry = async (): Promise<boolean> => {
  const format = "{{range .RegistryConfig.InsecureRegistryCIDRs}}{{.}} {{end}}{{json .RegistryConfig.IndexConfigs}}";
  const settings = await runChecked("docker", ["info", "--format", format]);
  return settings.includes("10.77.0.0/16") || settings.includes(registryAddress);
};

const forwardFromLoopback = async (): Promise<Server> => {
  const server = createServer((near) => {
    const far = connect(registryPort, registryHost);
    near.on("error", () => far.destroy());
    far.on("error", () => near.destroy());
    near.pipe(far).pipe(near);
  });
  server.listen(forwardPort, "127.0.0.1");
  await once(server, "listening");
  return server;
};

const push = async (localTag: string, repositoryTag: string, address: string): Promise<string> => {
  const target = `${address}/${repositoryTag}`;
  await runChecked("docker", ["tag", localTag, target]);
  try {
    const output = await runChecked("docker", ["push", target], { timeoutMs: pushTimeoutMs });
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(output)?.[1];
    if (digest === undefined) throw new Error(`docker push ${target} named no digest:\n${output}`);
    return digest;
  } finally {
    await runCommand("docker", ["image", "rm", "--no-prune", target]);
  }
};

/**
 * Pushes an image of this host's engine to the running lab registry, `pushToRegistry("shop:test", "acme/shop:1.0.0")`.
 * Returns its reference by digest, `10.77.0.1:5000/acme/shop@sha256:…`, good here and on every machine.
 */
export const pushToRegistry = async (localTag: string, repositoryTag: string): Promise<string> => {
  const repository = repositoryTag.replace(/:[^:/]*$/, "");
  const digest = await withLabLock("push", () => pushDigest(localTag, repositoryTag));
  return `${registryAddress}/${repository}@${digest}`;
};

const pushDigest = async (localTag: string, repositoryTag: string): Promise<string> => {
  if (await engineTrustsRegistry()) return push(localTag, repositoryTag, registryAddress);
  const forward = await forwardFromLoopback();
  try {
    return await push(localTag, repositoryTag, `127.0.0.1:${forwardPort}`);
  } finally {
    forward.close();
  }
};
