// The proof by power cuts: from recordings of a server's disk, as many states as asked for, each opened and judged.
//
// Moments are chosen half at random, half by kind: a rename in the archive happens once where a segment is written a thousand times,
// and both matter. One seed makes all the choices for one recording; the recording itself differs from run to run.

import { join } from 'node:path'
import { SeededRandom } from '../support/seeded-random.ts'
import { keepDirectory, removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { buildState, type Cut, FATES } from './disk-states.ts'
import { BrokenPromise, judgeState } from './judge-state.ts'
import type { LogOutline } from './log-outline.ts'
import { DATA, type Recording, recordStart } from './recording.ts'
import type { RecordedDisk } from './recorded-disk.ts'
import { type Told, toldBefore } from './told.ts'

/** Lines behind a moment within which the cut may fall. */
const NEAR_LINES = 6
const TOOL_EVERY = 20

export interface PowerCounts {
  states: number
  /** Of them in which something had begun and was not promised. */
  withChoices: number
  /** States of a start on such a state. */
  inStart: number
  possible: number
  dropped: number
  /** Answers that had left, over all states: so many were held against a log. */
  answers: number
  commits: number
  /** By path and kind of the moment, numbers left out. */
  readonly moments: Map<string, number>
}

export interface Found {
  readonly sentence: string
  /** Of this state. */
  readonly seed: number
  readonly cut: Cut
  readonly moment: string
  /** Where the state is kept; null: nowhere. */
  readonly evidence: string | null
}

export interface ProofOptions {
  readonly states: number
  readonly seed: number
  readonly parallel: number
  readonly settings: readonly Readonly<Record<string, string>>[]
  /** Stops at the first violation, whose state is kept. */
  readonly keeps: boolean
  readonly report?: (line: string) => void
  /** Share of the states in which a start is recorded and cut off in its turn: one in so many; 0: none. */
  readonly startEvery: number
  /** States of each such start. */
  readonly startStates: number
}

export function newCounts(): PowerCounts {
  return {
    states: 0,
    withChoices: 0,
    inStart: 0,
    possible: 0,
    dropped: 0,
    answers: 0,
    commits: 0,
    moments: new Map(),
  }
}

/** What is behind a state: a recording and what had been told before it began. */
interface Source {
  readonly disk: RecordedDisk
  readonly final: LogOutline
  toldAt(at: number): Told
  readonly isStart: boolean
}

/** Returns the first violation, or null when all states are as promised. */
export async function provePower(
  recording: Recording,
  options: ProofOptions,
  counts: PowerCounts,
): Promise<Found | null> {
  const source: Source = {
    disk: recording.disk,
    final: recording.final,
    toldAt: (at) => toldBefore(recording.replies, at),
    isStart: false,
  }
  let next = 0
  let found: Found | null = null
  const worker = async (): Promise<void> => {
    while (next < options.states && found === null) {
      // Each state has a seed of its own, so that it is the same whatever runs beside it.
      const random = new SeededRandom(options.seed + next)
      const isStart = options.startEvery > 0 && next % options.startEvery === options.startEvery - 1
      next += isStart ? options.startStates : 1
      const one = isStart
        ? await cutStart(source, options, random, counts)
        : await cutOnce(source, options, random, counts)
      found ??= one
    }
  }
  await Promise.all(Array.from({ length: options.parallel }, worker))
  return found
}

/** A power cut, a start, and power cuts within that start. */
async function cutStart(
  source: Source,
  options: ProofOptions,
  random: SeededRandom,
  counts: PowerCounts,
): Promise<Found | null> {
  const state = temporaryDirectory('power-first')
  try {
    const { cut, moment } = chooseCut(source.disk, random)
    buildState(source.disk, cut, random, state)
    let start: Recording
    try {
      start = await recordStart(state, { settings: random.pick(options.settings) })
    } catch (cause) {
      return { sentence: (cause as Error).message, seed: random.seed, cut, moment, evidence: null }
    }
    const told = source.toldAt(cut.at)
    const inner: Source = { disk: start.disk, final: start.final, toldAt: () => told, isStart: true }
    for (let i = 0; i < options.startStates; i++) {
      const found = await cutOnce(inner, options, random, counts)
      if (found !== null) return found
    }
    return null
  } finally {
    removeDirectory(state)
  }
}

async function cutOnce(
  source: Source,
  { settings, keeps, report }: ProofOptions,
  random: SeededRandom,
  counts: PowerCounts,
): Promise<Found | null> {
  const { cut, moment } = chooseCut(source.disk, random)
  const told = source.toldAt(cut.at)
  const state = temporaryDirectory('power-state')
  const buildSeed = random.below(1_000_000_007)
  const { possible, dropped } = buildState(source.disk, cut, new SeededRandom(buildSeed), state)
  counts.states++
  counts.withChoices += possible > 0 ? 1 : 0
  counts.inStart += source.isStart ? 1 : 0
  counts.possible += possible
  counts.dropped += dropped
  counts.answers += told.answers
  counts.moments.set(moment, (counts.moments.get(moment) ?? 0) + 1)
  if (counts.states % 50 === 0) report?.(`${counts.states} states, ${counts.commits} commits read`)
  const runsTool = counts.states % TOOL_EVERY === 0
  try {
    counts.commits += await judgeState(join(state, DATA), {
      told,
      final: source.final,
      settings: random.pick(settings),
      runsTool,
    })
    return null
  } catch (cause) {
    if (!(cause instanceof BrokenPromise)) throw cause
    const evidence = keeps ? temporaryDirectory('power-evidence') : null
    if (evidence !== null) {
      // As it was before it was opened.
      buildState(source.disk, cut, new SeededRandom(buildSeed), evidence)
      keepDirectory(evidence)
    }
    return { sentence: cause.message, seed: random.seed, cut, moment, evidence }
  } finally {
    removeDirectory(state)
  }
}

function chooseCut({ moments }: RecordedDisk, random: SeededRandom): { readonly cut: Cut; readonly moment: string } {
  const kinds = new Map<string, number[]>()
  for (const [index, each] of moments.entries()) {
    const kind = kindOf(each)
    const ofKind = kinds.get(kind)
    if (ofKind === undefined) kinds.set(kind, [index])
    else ofKind.push(index)
  }
  const index = random.below(2) === 0 ? random.below(moments.length) : random.pick(random.pick([...kinds.values()]))
  const moment = moments[index] as (typeof moments)[number]
  const cut = {
    at: moment.beginsAt + 0.5 + (random.below(2) === 0 ? 0 : random.below(NEAR_LINES)),
    files: random.pick(FATES),
    names: random.pick(FATES),
    sectorBytes: random.pick([512, 4_096]),
    mapped: random.pick(['zeros', 'noise'] as const),
  }
  return { cut, moment: kindOf(moment) }
}

/** Of a path without its numbers, so that there are some dozens and not thousands. */
function kindOf({ path, kind }: RecordedDisk['moments'][number]): string {
  return `${kind} ${path.replaceAll(/[0-9a-f]{32}|\d+/g, 'n')}`
}
