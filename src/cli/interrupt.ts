import { IkomaError } from "../core/errors.ts";

/** Listens to Ctrl-C until it is disposed of. */
export interface Interrupt extends Disposable {
  /** Aborted by the first Ctrl-C (or SIGTERM), its reason the CANCELLED error to end with. */
  readonly signal: AbortSignal;
}

/** What an interrupt does; tests put their own here. */
export interface InterruptActions {
  /** At the first signal: tell that the work is being cancelled. */
  readonly onCancel: () => void;
  /** At the second: leave at once, with this exit code. */
  readonly leave?: (exitCode: number) => void;
}

const signals = ["SIGINT", "SIGTERM"] as const;

/** The first Ctrl-C asks everything under way to stop in order; the second leaves without waiting for it. */
export function listenForInterrupt({
  onCancel,
  leave = (exitCode) => process.exit(exitCode),
}: InterruptActions): Interrupt {
  const controller = new AbortController();
  const interrupted = (): void => {
    const error = new IkomaError("CANCELLED", "Cancelled.");
    if (controller.signal.aborted) {
      leave(error.exitCode);
      return;
    }
    onCancel();
    controller.abort(error);
  };
  for (const name of signals) process.on(name, interrupted);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of signals) process.off(name, interrupted);
    },
  };
}
