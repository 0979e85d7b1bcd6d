/**
 * A mutant: one fault planted in one source file, and the tests that have to notice it.
 *
 *     from   text as it stands, exactly once in the file        a text that is not there any more is an error, so entries
 *     to     the text of the fault                              cannot rot unseen
 *
 * A fault has to break what the contract or a file head promises; one that changes nothing anybody could see proves nothing.
 * What must never happen here: a survivor removed instead of caught by a better test.
 */

export interface Mutant {
  /** Unique, in words. */
  readonly id: string
  /** Path from the package's root. */
  readonly file: string
  readonly from: string
  readonly to: string
  /** What nobody may rely on any more. */
  readonly breaks: string
  /** Paths of test files, tried in this order until one fails. */
  readonly tests: readonly string[]
}

/** The source with the fault in it. Throws where `from` is not in it exactly once, or nothing would change. */
export function planted(source: string, { id, file, from, to }: Mutant): string {
  const at = source.indexOf(from)
  if (from === '' || at < 0) throw new Error(`${id}: its text is not in ${file} any more; plant the fault anew`)
  if (source.includes(from, at + 1)) throw new Error(`${id}: its text is in ${file} more than once; take a longer one`)
  if (from === to) throw new Error(`${id}: changes nothing`)
  return source.slice(0, at) + to + source.slice(at + from.length)
}
