// Builds that flush too little, to see that the proof finds them, and after how many states.

import { type Change, makeEarlyBuild } from '../trace/early-builds.ts'
import { removeDirectory } from '../support/temporary-directory.ts'
import type { LoadSize } from './power-load.ts'
import { type Found, newCounts, provePower } from './power-proof.ts'
import { recordLoad } from './recording.ts'

export const BROKEN_BUILDS = {
  'that leaves the flush of a commit out': {
    file: 'persistence/segment-writer.js',
    from: 'fdatasync(this.#fd, done);',
    to: 'setImmediate(() => done(null));',
  },
  'that flushes no directory': {
    file: 'persistence/durable-file.js',
    from: "const fd = openSync(path, 'r');\n    try {\n        fsyncSync(fd);",
    to: "const fd = openSync(path, 'r');\n    try {",
  },
  'that does not flush an upload': { file: 'imports/spool.js', from: 'flush: true,', to: '' },
  'that renames a snapshot before it is flushed': {
    file: 'persistence/snapshot-file.js',
    from: 'fdatasyncSync(this.#fd);',
    to: '',
  },
} as const satisfies Record<string, Change>

export type BrokenBuild = keyof typeof BROKEN_BUILDS

export interface Search {
  readonly size: LoadSize
  readonly settings: readonly Readonly<Record<string, string>>[]
  readonly states: number
  readonly seed: number
}

/** Records the broken build and opens states of it, with the product as it is, until one is found or so many were looked at. */
export async function statesToFind(
  name: BrokenBuild,
  { size, settings, states, seed }: Search,
): Promise<{ readonly found: Found | null; readonly states: number }> {
  const build = makeEarlyBuild(BROKEN_BUILDS[name])
  try {
    const recording = await recordLoad({ size, settings: { WORKERS: '1' }, entry: build.entry })
    const counts = newCounts()
    const options = { states, seed, parallel: 2, settings, keeps: false, startEvery: 0, startStates: 0 }
    const found = await provePower(recording, options, counts)
    return { found, states: counts.states }
  } finally {
    removeDirectory(build.directory)
  }
}
