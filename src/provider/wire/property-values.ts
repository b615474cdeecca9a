import { passwordsIn } from "../../core/redaction.ts";
import { ListValue, NullValue, Struct, Value } from "./proto.ts";

/**
 * Pulumi's property values as plain data: secrets and unknown values, which travel as structs and
 * strings with a signature, become things that cannot be mistaken for data.
 */
export type PropertyValue =
  null | boolean | number | string | typeof unknownValue | Secret | readonly PropertyValue[] | PropertyMap;

export interface PropertyMap {
  readonly [key: string]: PropertyValue;
}

/** A value that is not known before the `up`. */
export const unknownValue: unique symbol = Symbol("unknown until applied");

/** A value that is encrypted in the state and never shown. */
export class Secret {
  readonly value: PropertyValue;

  constructor(value: PropertyValue) {
    this.value = value;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }
}

// The signatures are fixed by the protocol: sdk/proto/property.md of pulumi/pulumi.
const signatureKey = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const outputSignature = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const unknownText = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
/** The engine has one mark for each type of value that may be unknown. */
const unknownTexts = new Set([
  unknownText,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/** Whether a value is a map of properties (not a list, a secret or a scalar). */
export function isMap(value: PropertyValue | undefined): value is PropertyMap {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Secret);
}

/** A property of a map; undefined where the map has none of its own (every object inherits a `constructor`). */
export function propertyOf(map: PropertyMap, name: string): PropertyValue | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

/** Whether a value is a list; `Array.isArray` alone does not narrow read-only arrays. */
export function isList(value: PropertyValue | undefined): value is readonly PropertyValue[] {
  return Array.isArray(value);
}

/** Reads a struct of the protocol; an absent one is empty. */
export function decodeMap(struct: Struct | undefined): PropertyMap {
  const entries: [string, PropertyValue][] = [];
  struct?.getFieldsMap().forEach((value: Value, key: string) => entries.push([key, decode(value)]));
  return Object.fromEntries(entries);
}

function decode(value: Value): PropertyValue {
  switch (value.getKindCase()) {
    case Value.KindCase.NUMBER_VALUE:
      return value.getNumberValue();
    case Value.KindCase.BOOL_VALUE:
      return value.getBoolValue();
    case Value.KindCase.STRING_VALUE:
      return unknownTexts.has(value.getStringValue()) ? unknownValue : value.getStringValue();
    case Value.KindCase.LIST_VALUE:
      return (value.getListValue()?.getValuesList() ?? []).map(decode);
    case Value.KindCase.STRUCT_VALUE:
      return unwrap(decodeMap(value.getStructValue()));
    case Value.KindCase.NULL_VALUE:
    case Value.KindCase.KIND_NOT_SET:
      return null;
  }
}

/** A struct with a signature is not data but a statement about the value inside. */
function unwrap(map: PropertyMap): PropertyValue {
  const signature = map[signatureKey];
  if (signature === secretSignature) return new Secret(map["value"] ?? null);
  if (signature !== outputSignature) return map;
  const value = map["value"] ?? unknownValue;
  return map["secret"] === true ? new Secret(value) : value;
}

/** Writes a map as a struct of the protocol. */
export function encodeMap(map: PropertyMap): Struct {
  const struct = new Struct();
  const fields = struct.getFieldsMap();
  for (const [key, value] of Object.entries(map)) fields.set(key, encode(value));
  return struct;
}

function encode(property: PropertyValue): Value {
  const value = new Value();
  if (property === null) value.setNullValue(NullValue.NULL_VALUE);
  else if (property === unknownValue) value.setStringValue(unknownText);
  else if (typeof property === "boolean") value.setBoolValue(property);
  else if (typeof property === "number") value.setNumberValue(property);
  else if (typeof property === "string") value.setStringValue(property);
  else if (property instanceof Secret)
    value.setStructValue(encodeMap({ [signatureKey]: secretSignature, value: property.value }));
  else if (isList(property)) value.setListValue(new ListValue().setValuesList(property.map(encode)));
  else if (isMap(property)) value.setStructValue(encodeMap(property));
  return value;
}

/** A value without its secret wrappings, for use (never for output). Unknown values stay in it. */
export function reveal(value: PropertyValue): unknown {
  if (value instanceof Secret) return reveal(value.value);
  if (isList(value)) return value.map(reveal);
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, reveal(each)]));
  return value;
}

/** Whether something in it is not known yet. */
export function hasUnknown(value: PropertyValue): boolean {
  if (value instanceof Secret) return hasUnknown(value.value);
  if (isList(value)) return value.some(hasUnknown);
  return isMap(value) ? Object.values(value).some(hasUnknown) : value === unknownValue;
}

/** The value with everything in it secret that is secret in `model`, besides what is anyhow. */
export function sealedLike(value: PropertyValue, model: PropertyValue | undefined): PropertyValue {
  if (value instanceof Secret) return value;
  if (model instanceof Secret) return new Secret(value);
  if (isList(value) && isList(model)) return value.map((each, index) => sealedLike(each, model[index]));
  return isMap(value) && isMap(model) ? mapSealedLike(value, model) : value;
}

export function mapSealedLike(map: PropertyMap, model: PropertyMap): PropertyMap {
  const entries = Object.entries(map);
  return Object.fromEntries(entries.map(([key, value]) => [key, sealedLike(value, propertyOf(model, key))]));
}

/** Plain JSON data as property values. Keys without a value are left out. */
export function fromJson(json: unknown): PropertyValue {
  if (Array.isArray(json)) return json.map(fromJson);
  if (typeof json === "object" && json !== null) return mapFromJson(json);
  if (typeof json === "string" || typeof json === "number" || typeof json === "boolean") return json;
  return null;
}

/** Plain JSON object as a property map. */
export function mapFromJson(json: object): PropertyMap {
  const entries = Object.entries(json).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([key, value]) => [key, fromJson(value)]));
}

/** Every text that is secret, and the password in it where the text is a URL (a log may show either). */
export function secretTexts(value: PropertyValue): string[] {
  return [...new Set(collectSecrets(value, false))];
}

function collectSecrets(value: PropertyValue, secret: boolean): string[] {
  if (value instanceof Secret) return collectSecrets(value.value, true);
  if (isList(value)) return value.flatMap((each) => collectSecrets(each, secret));
  if (isMap(value)) return Object.values(value).flatMap((each) => collectSecrets(each, secret));
  return secret && typeof value === "string" && value !== "" ? [value, ...passwordsIn(value)] : [];
}
