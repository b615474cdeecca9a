import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import * as z from "zod";
import type { OperationKind } from "../../src/agent/protocol/operations.ts";
import { drift } from "../../src/agent/protocol/views.ts";
import type { OperationOutcome, OperationRequest } from "../../src/core/transport/agent-client.ts";
import { FakeAgent } from "../doubles/agent.ts";

const savedParts = z.array(
  z.tuple([
    z.string(),
    z.object({
      exists: z.boolean(),
      generation: z.number(),
      drift: z.array(drift),
      input: z.unknown(),
      number: z.number().optional(),
      digest: z.string().optional(),
    }),
  ]),
);

/** A fake agent whose apps outlive its process, in a file: one host for several processes, one after the other. */
export class FileAgent extends FakeAgent {
  readonly #file: string;

  constructor(file: string) {
    super();
    this.#file = file;
    if (!existsSync(file)) return;
    for (const [key, { number, digest, ...part }] of savedParts.parse(JSON.parse(readFileSync(file, "utf8")))) {
      this.parts.set(key, {
        ...part,
        ...(number !== undefined && { number }),
        ...(digest !== undefined && { digest }),
      });
    }
  }

  override async run<K extends OperationKind>(kind: K, request: OperationRequest<K>): Promise<OperationOutcome<K>> {
    const outcome = await super.run(kind, request);
    // By rename: the process may be killed at any moment.
    writeFileSync(`${this.#file}.partial`, JSON.stringify([...this.parts]));
    renameSync(`${this.#file}.partial`, this.#file);
    return outcome;
  }
}
