import type { TestHost } from "./host.ts";

const writes = {
  journal: new Set(["begin", "enter", "setNumber", "succeed", "fail", "addEvent"]),
  deployments: new Set(["begin", "place", "makeCurrent", "fail", "takeBack"]),
};

/** A disk that can be full: the ledger then takes nothing more. To be made before what is to meet it is started. */
export class FullDisk {
  isFull = false;

  constructor({ host }: TestHost) {
    host.journal = this.#refusing(host.journal, writes.journal);
    host.deployments = this.#refusing(host.deployments, writes.deployments);
  }

  #refusing<T extends object>(part: T, methods: ReadonlySet<string>): T {
    return new Proxy(part, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (this.isFull && methods.has(String(name)))
          return () => {
            throw new Error("database or disk is full");
          };
        return value.bind(target) as unknown;
      },
    });
  }
}
