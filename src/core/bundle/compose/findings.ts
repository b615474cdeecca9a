import { IkomaError } from "../../errors.ts";

/** What was found while a compose file was read: all of it is told at once, not one problem a run. */
export class Findings {
  readonly #refusals: string[] = [];
  readonly #warnings: string[] = [];

  /** The bundle cannot be made. `path` is the setting (`services.web.ports`), `reason` why and what to write. */
  refuse(path: string, reason: string): void {
    this.#refusals.push(`${path}: ${reason}`);
  }

  /** The bundle is made, but the author should know. */
  warn(path: string, message: string): void {
    this.#warnings.push(`${path}: ${message}`);
  }

  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** @throws IkomaError COMPOSE_UNSUPPORTED with every refusal so far. */
  throwIfRefused(): void {
    if (this.#refusals.length === 0) return;
    const hint = this.#refusals.length === 1 ? {} : { hint: "Change the named settings of the compose file." };
    throw new IkomaError("COMPOSE_UNSUPPORTED", this.#refusals.join("\n"), {
      ...hint,
      details: { refusals: [...this.#refusals] },
    });
  }
}
