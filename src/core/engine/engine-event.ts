import * as z from "zod";

/** What the engine is to do with a resource. There are more; only these are told apart here. */
const stepState = z.looseObject({
  urn: z.string().optional(),
  inputs: z
    .record(z.string(), z.unknown())
    .nullish()
    .transform((value) => value ?? {}),
  outputs: z
    .record(z.string(), z.unknown())
    .nullish()
    .transform((value) => value ?? {}),
  id: z.string().optional(),
  /** Whether a provider stands behind it; components and the stack have none. */
  custom: z.boolean().optional(),
});

const step = z.looseObject({
  op: z.string(),
  urn: z.string(),
  type: z.string(),
  old: stepState.nullish(),
  new: stepState.nullish(),
  detailedDiff: z.record(z.string(), z.looseObject({ diffKind: z.string() })).nullish(),
});
export type EngineStep = z.infer<typeof step>;

const diagnostic = z.looseObject({
  urn: z.string().optional(),
  message: z.string(),
  severity: z.enum(["info", "info#err", "warning", "error", "debug"]),
  ephemeral: z.boolean().optional(),
});

const summary = z.looseObject({
  durationSeconds: z.number().optional(),
  resourceChanges: z.record(z.string(), z.number()).nullish(),
});

/** An event of the engine, as far as it is used here; what it is made of is in `sdk/go/common/apitype/events.go` of pulumi/pulumi. */
const rawEvent = z.looseObject({
  resourcePreEvent: z.looseObject({ metadata: step }).optional(),
  resOutputsEvent: z.looseObject({ metadata: step }).optional(),
  resOpFailedEvent: z.looseObject({ metadata: step }).optional(),
  diagnosticEvent: diagnostic.optional(),
  summaryEvent: summary.optional(),
});

/** What a run tells as it goes. Values that are secret are masked by the engine already. */
export type EngineEvent =
  | { type: "step"; step: EngineStep }
  | { type: "done"; step: EngineStep }
  | { type: "failed"; step: EngineStep }
  | { type: "diagnostic"; severity: "info" | "warning" | "error"; message: string; urn?: string; ephemeral: boolean }
  | { type: "summary"; changes: Record<string, number> };

/** Reads one event of `--event-log`; undefined for kinds that nobody here needs. */
export function parseEngineEvent(text: string): EngineEvent | undefined {
  const event = rawEvent.parse(JSON.parse(text));
  if (event.resourcePreEvent !== undefined) return { type: "step", step: event.resourcePreEvent.metadata };
  if (event.resOutputsEvent !== undefined) return { type: "done", step: event.resOutputsEvent.metadata };
  if (event.resOpFailedEvent !== undefined) return { type: "failed", step: event.resOpFailedEvent.metadata };
  if (event.summaryEvent !== undefined) return { type: "summary", changes: event.summaryEvent.resourceChanges ?? {} };
  const { diagnosticEvent: diagnosed } = event;
  if (diagnosed === undefined || diagnosed.severity === "debug" || isPathNotice(diagnosed.message)) return undefined;
  return diagnosticEvent(diagnosed);
}

/** The engine looks for the plugin on PATH also where it is attached to the provider in this process: not so, and no help. */
function isPathNotice(message: string): boolean {
  return /using pulumi-resource-ikoma from \$PATH/.test(message);
}

function diagnosticEvent({ severity, message, urn, ephemeral }: z.infer<typeof diagnostic>): EngineEvent {
  const level = severity === "warning" || severity === "error" ? severity : "info";
  const text = message.replaceAll(/<\{%[^%]*%\}>/g, "").trimEnd();
  return {
    type: "diagnostic",
    severity: level,
    message: text,
    ephemeral: ephemeral ?? false,
    ...(urn !== undefined && urn !== "" && { urn }),
  };
}
