import { text } from "node:stream/consumers";
import type { KeyObject } from "node:crypto";
import type { Argv } from "yargs";
import { givenKey, keyVariables } from "../../../core/signing/given-key.ts";
import { IkomaError } from "../../../core/errors.ts";
import { oneText } from "../../global-options.ts";
import { askHidden } from "../../hidden-answer.ts";

/** The part of the command line that says how a private key is opened. */
export interface PassphraseArguments {
  readonly "passphrase-stdin": boolean;
}

/** What to sign with. */
export interface KeyArguments extends PassphraseArguments {
  readonly "sign-key": string | undefined;
}

/** Declares the options of {@link KeyArguments}. */
export function withKeyArguments<T>(parser: Argv<T>): Argv<T & KeyArguments> {
  return withPassphraseArguments(parser).option("sign-key", {
    ...oneText,
    defaultDescription: "$IKOMA_SIGN_KEY, the PEM text itself, or $IKOMA_SIGN_KEY_FILE",
    describe: "File of the private key to sign with",
  });
}

/** Declares the options of {@link PassphraseArguments}. */
export function withPassphraseArguments<T>(parser: Argv<T>): Argv<T & PassphraseArguments> {
  return parser.option("passphrase-stdin", {
    type: "boolean",
    default: false,
    defaultDescription: "$IKOMA_SIGN_PASSPHRASE",
    describe: "Read the key's passphrase from standard input",
  });
}

/**
 * The key to sign with, opened; undefined where none is named.
 *
 * @throws SIGNING_KEY_INVALID
 */
export function readSigningKey(argv: KeyArguments): Promise<KeyObject | undefined> {
  return givenKey({
    file: argv["sign-key"],
    env: process.env,
    passphrase: () => readPassphrase(argv, () => askHidden("Passphrase of the key: ")),
  });
}

/**
 * A passphrase from standard input, the environment, or whoever sits there; undefined where there is none.
 *
 * @throws USAGE where nothing came on standard input
 */
export async function readPassphrase(
  argv: PassphraseArguments,
  ask: () => Promise<string | undefined>,
  stdin: NodeJS.ReadableStream = process.stdin,
): Promise<string | undefined> {
  if (argv["passphrase-stdin"]) {
    const passphrase = (await text(stdin)).replace(/\r?\n$/, "");
    if (passphrase !== "") return passphrase;
    throw new IkomaError("USAGE", "--passphrase-stdin: nothing came on standard input.");
  }
  const given = process.env[keyVariables.passphrase] ?? "";
  return given === "" ? ask() : given;
}
