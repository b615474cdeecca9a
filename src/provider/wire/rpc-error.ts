import { Metadata, status, type ServiceError } from "@grpc/grpc-js";
import * as z from "zod";
import { evidenceOf, readFailureFacts } from "../../core/release/release-failure.ts";
import type { IkomaError } from "../../core/errors.ts";
import { encodeMap, type PropertyMap } from "./property-values.ts";
import { Any, providerMessages, statusMessages } from "./proto.ts";

const shownDetails = z.looseObject({
  /** Last lines that the app logged. */
  log: z.array(z.string()).optional().catch(undefined),
  /** The host is neither as before nor as asked: the resource is to be recorded, and repaired by the next `up`. */
  partial: z.boolean().optional().catch(undefined),
});
const shownLogLines = 20;

/** What the engine shall record of a resource that was begun and could not be finished. */
export interface PartialResource {
  id: string;
  inputs: PropertyMap;
}

/**
 * A failure as the engine and the user get it. FAILED_PRECONDITION tells the engine that the resource is as it was
 * before (it takes INTERNAL and UNKNOWN for "perhaps half done"); only an error that says `partial` records one.
 */
export function toServiceError(error: IkomaError, partial?: PartialResource): ServiceError {
  const details = errorText(error);
  const metadata = new Metadata();
  const isPartial = shownDetails.parse(error.details).partial === true;
  if (isPartial && partial !== undefined) metadata.set("grpc-status-details-bin", initFailedDetails(details, partial));
  return Object.assign(new Error(details), { code: status.FAILED_PRECONDITION, details, metadata });
}

/** Code, message, what was seen, what the app logged last, and the next step: all that plain `pulumi` can show. */
export function errorText(error: IkomaError): string {
  const log = shownDetails.parse(error.details).log ?? [];
  const facts = readFailureFacts(error.details);
  const seen = facts === undefined ? [] : evidenceOf(facts).map(({ label, text }) => `  ${label}: ${text}`);
  const service = facts === undefined ? "" : `${facts.service} `;
  const lines = log.slice(-shownLogLines).map((line) => `  ${service}| ${line}`);
  return [`${error.code}: ${error.message}`, ...seen, ...lines, error.hint].join("\n");
}

function initFailedDetails(reason: string, { id, inputs }: PartialResource): Buffer {
  const { ErrorResourceInitFailed } = providerMessages;
  const failed = new ErrorResourceInitFailed().setId(id).setReasonsList([reason]).setRefreshBeforeUpdate(true);
  failed.setInputs(encodeMap(inputs)).setProperties(encodeMap(inputs));
  const any = new Any();
  any.pack(failed.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const detailed = new statusMessages.Status()
    .setCode(status.FAILED_PRECONDITION)
    .setMessage(reason)
    .setDetailsList([any]);
  return Buffer.from(detailed.serializeBinary());
}
