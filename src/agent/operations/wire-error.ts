import type { IkomaError } from "../../core/errors.ts";
import { wireError } from "../protocol/wire.ts";
import type { WireError } from "../protocol/wire.ts";
import { redactDeep } from "../../core/redaction.ts";

/** An error as it travels to the caller and stands in the journal, free of secrets. */
export function toWire(error: IkomaError, redact: (text: string) => string = (text) => text): WireError {
  const details: unknown = JSON.parse(JSON.stringify(redactDeep(error.details, redact)));
  return wireError.parse({ code: error.code, message: redact(error.message), hint: redact(error.hint), details });
}
