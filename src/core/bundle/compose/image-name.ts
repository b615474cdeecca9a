/** The last part of an image's name, without tag and digest: `postgres` of `registry.example:5000/my/postgres:15`. */
export function imageName(image: string): string {
  const repository = image.split("@", 1)[0]?.replace(/:[^/]*$/, "") ?? "";
  return repository.split("/").at(-1) ?? "";
}
