// Builds that let replies out early on purpose, to see that the judge notices: copies of the built product in a temporary
// folder with one line changed. The product itself has no switch for this.

import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../support/project.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

export interface Change {
  readonly file: string
  readonly from: string
  readonly to: string
}

export const EARLY_BUILDS = {
  'the gate of the lane is open': {
    file: 'engine/shard/lane.js',
    from: 'if (actor.lastGroup <= this.durableGroup || (this.options.relaxed && requestId !== MESSAGE_MARK)) {',
    to: 'if (true) {',
  },
  'the flush is left out': {
    file: 'persistence/segment-writer.js',
    from: 'fdatasync(this.#fd, done);',
    to: 'setImmediate(() => done(null));',
  },
  'the flush comes after the replies': {
    file: 'persistence/segment-writer.js',
    from: 'fdatasync(this.#fd, done);',
    to: 'setTimeout(() => fdatasync(this.#fd, () => {}), 20); setImmediate(() => done(null));',
  },
} as const satisfies Record<string, Change>

const PARTS = ['cli', 'engine', 'gateway', 'imports', 'lifecycle', 'persistence', 'protocol', 'readmodel']

export interface EarlyBuild {
  readonly directory: string
  /** The built command line of the copy. */
  readonly entry: string
}

/** The caller removes the directory. Throws when the line is not there exactly once: then the change is out of date. */
export function makeEarlyBuild({ file, from, to }: Change): EarlyBuild {
  const directory = temporaryDirectory('early-build')
  for (const part of PARTS) cpSync(join(PROJECT_ROOT, 'dist', part), join(directory, 'dist', part), { recursive: true })
  cpSync(join(PROJECT_ROOT, 'package.json'), join(directory, 'package.json'))
  symlinkSync(join(PROJECT_ROOT, 'node_modules'), join(directory, 'node_modules'))
  const path = join(directory, 'dist', file)
  const text = readFileSync(path, 'utf8')
  if (text.split(from).length !== 2) throw new Error(`${file} does not contain exactly once: ${from}`)
  writeFileSync(path, text.replace(from, to))
  return { directory, entry: join(directory, 'dist', 'cli', 'main.js') }
}
