/**
 * `If-Match`: the version of a thing that a client saw before it asks for a change.
 */

/** RFC 9110: any of a list of tags, compared strongly, or `*`. */
export function matches(ifMatch: string, etag: string): boolean {
  return ifMatch.split(',').some((tag) => tag.trim() === etag || tag.trim() === '*')
}

/** The tag of a version, with its quotes. */
export function entityTag({ version }: { readonly version: number }): string {
  return `"${version}"`
}
