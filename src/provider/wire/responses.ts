import type { CheckResponse, DiffResponse } from "@pulumi/pulumi/proto/provider_pb.js";
import type { Explained } from "../../core/config/explain-issues.ts";
import { formatPath } from "./property-path.ts";
import { providerMessages, type Struct } from "./proto.ts";
import type { Change } from "../resource-calls.ts";

/**
 * Inputs pass as they came. The path goes into the text: for a failure with a property, the engine prints that
 * property's value as well, and a secret one in clear.
 */
export function checkResponse(news: Struct | undefined, problems: readonly Explained[]): CheckResponse {
  const { CheckFailure, CheckResponse } = providerMessages;
  const failures = problems.map(({ path, message }) => new CheckFailure().setReason(`${formatPath(path)}: ${message}`));
  return new CheckResponse().setInputs(news).setFailuresList(failures);
}

/** One entry per property, so that a plan can say what of a release changes. */
export function diffResponse(changes: readonly Change[]): DiffResponse {
  const { DiffResponse, PropertyDiff } = providerMessages;
  const { ADD, ADD_REPLACE, DELETE, DELETE_REPLACE, UPDATE, UPDATE_REPLACE } = PropertyDiff.Kind;
  const kinds = {
    add: [ADD, ADD_REPLACE],
    delete: [DELETE, DELETE_REPLACE],
    update: [UPDATE, UPDATE_REPLACE],
  } as const;
  const response = new DiffResponse().setHasdetaileddiff(true);
  response.setChanges(changes.length === 0 ? DiffResponse.DiffChanges.DIFF_NONE : DiffResponse.DiffChanges.DIFF_SOME);
  const topLevel = (each: readonly Change[]): string[] => [...new Set(each.map(({ path }) => String(path[0])))];
  response.setDiffsList(topLevel(changes)).setReplacesList(topLevel(changes.filter(({ replaces }) => replaces)));
  for (const { path, kind, replaces } of changes) {
    const difference = new PropertyDiff().setKind(kinds[kind][replaces ? 1 : 0]).setInputdiff(true);
    response.getDetaileddiffMap().set(formatPath(path), difference);
  }
  return response;
}
