const textOrComment = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[^]*?\*\/|(?<=^|\s)\/\/.*/gm;

/**
 * Code without its comments. What stands in a text stays (`"https://…"`, `"image/*"`), and `//` is a comment only at
 * the beginning of a word: rather one too few than code that is lost.
 */
export function withoutComments(code: string): string {
  return code.replaceAll(textOrComment, (_, text: string | undefined) => text ?? "");
}
