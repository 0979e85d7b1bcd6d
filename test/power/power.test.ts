// Power cuts in small, from a recording of a server's disk that lies beside this file, so that no tracer is needed: states are rebuilt
// from it, opened and judged. At full length, with fresh recordings and with builds that flush too little, it is
// `npm run test:power -- --states 500`; `npm run test:power -- --record FILE` makes the recording anew.

import { join } from 'node:path'
import { expect, it } from 'vitest'
import { PROJECT_ROOT } from '../support/project.ts'
import { newCounts, type ProofOptions, provePower } from './power-proof.ts'
import { readRecording } from './recording.ts'

const RECORDING = join(PROJECT_ROOT, 'test', 'power', 'recorded-run.br')
const STATES = 6
const LIMIT_MS = 240_000

function options(states: number): ProofOptions {
  const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000_007)
  console.log(`seed ${seed}`)
  return {
    states,
    seed,
    parallel: 2,
    settings: [{ WORKERS: '1' }, { WORKERS: '2' }],
    keeps: true,
    startEvery: 0,
    startStates: 0,
  }
}

it(`opens ${STATES} states that a power cut may leave to a whole prefix of what was written, with all that was told`, {
  timeout: LIMIT_MS,
}, async () => {
  const counts = newCounts()
  const found = await provePower(readRecording(RECORDING), options(STATES), counts)
  expect(found?.sentence ?? null, JSON.stringify(found)).toBeNull()
  expect(counts.states).toBe(STATES)
  // There was something to lose.
  expect(counts.dropped).toBeGreaterThan(0)
})

// A cut at a random moment shows it or not; of so many one does, whatever the seed.
it.each([
  ['the commits of segments', /\.mdb$/],
  ['the directories', /^(?:data(?:\/lanes.*)?)?$/],
])('finds it where %s are not flushed', { timeout: LIMIT_MS }, async (_, forgotten) => {
  const found = await provePower(
    readRecording(RECORDING, forgotten),
    { ...options(40), parallel: 1, keeps: false },
    newCounts(),
  )
  expect(found?.sentence).toMatch(/an answer had told of|cannot be read|start was refused|prefix/)
})
