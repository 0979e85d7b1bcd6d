// The proof by hostile clients in small. At full length it is `npm run test:hostile -- --inputs 100000`, which judges the bystander's
// p99 and the memory too: here they would hang on what else the machine does.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openApiText } from '../../gateway/openapi/openapi.ts'
import { Contract, type OpenApi } from '../gateway/support/contract.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { attack, InputSource } from './attack.ts'
import { loadCase, saveCase } from './input.ts'
import { namesOf, type World } from './world.ts'

const INPUTS = 5_000
const LIMIT_MS = 120_000

function seedOfRun(): number {
  const seed = Number(process.env['TEST_SEED'] ?? (Date.now() % 1_000_000_007) + 1)
  console.log(`seed ${seed}`)
  return seed
}

function worldOf(letter: string): World {
  const ids = (prefix: string): string[] => [`${prefix}_${letter}1`, `${prefix}_${letter}2`]
  return {
    keys: { checkout: `c-${letter}`, marketing: `m-${letter}`, operations: `o-${letter}` },
    codes: ['HOSTILE-0', 'HOSTILE-1'],
    coupons: ids('cpn'),
    campaigns: ids('cmp'),
    reservations: ids('rsv'),
    redemptions: ids('rdm'),
    jobs: ids('job'),
  }
}

it(`${INPUTS} hostile inputs are each answered as documented or closed, and a bystander's orders stay exact`, {
  timeout: LIMIT_MS,
}, async () => {
  const report = (line: string): void => console.log(line)
  const result = await attack({
    inputs: INPUTS,
    seed: seedOfRun(),
    rounds: 2,
    quietMs: 300,
    rate: null,
    deafRounds: 1,
    report,
  })
  expect(result.faults).toEqual([])
  expect(result.inputs).toBe(INPUTS)
  expect(result.redeemed).toBeGreaterThan(50)
  // It was an attack: of everything there is something, and much of it was right.
  for (const answer of ['200', '400', '401', '403', '404', '405', '415', '422', '431', 'closed', 'message ok'])
    expect(result.tally.get(answer), answer).toBeGreaterThan(0)
  expect(result.tally.get('message INVALID_REQUEST')).toBeGreaterThan(100)
})

it('an input is the same for its seed and number, and another for any other', () => {
  const contract = new Contract(JSON.parse(openApiText()) as OpenApi)
  const source = new InputSource(1, contract, worldOf('a'))
  const same = new InputSource(1, contract, worldOf('a'))
  const other = new InputSource(2, contract, worldOf('a'))
  const bytes = (from: InputSource): string[] =>
    Array.from({ length: 300 }, (_, i) => Buffer.concat(from.at(i).pieces).toString('latin1'))
  const first = bytes(source)
  const differing = bytes(other).filter((text, i) => text !== first[i])
  expect(bytes(same)).toEqual(first)
  expect(differing.length).toBeGreaterThan(250)
})

it('a case is sent again to the byte, with the keys and ids of another world', () => {
  const directory = temporaryDirectory('hostile-case')
  const file = join(directory, 'case.json')
  const [here, there] = [worldOf('a'), worldOf('b')]
  const text = (world: World): string =>
    `POST /v1/campaigns/${world.campaigns[1]}/claims HTTP/1.1\r\nauthorization: Bearer ${world.keys.operations}\r\n\r\n\u00ff\u0000`
  const way = { via: 'raw', answers: 1, isSlow: false, isSound: true } as const
  const pieces = [Buffer.from(text(here), 'latin1'), Buffer.from([0, 255])]
  saveCase(file, { what: 'a claim', way, pieces }, { seed: 1, index: 2, names: namesOf(here) }, ['a fault'])
  expect(loadCase(file, namesOf(here))).toEqual({ what: 'a claim', way, pieces })
  expect(loadCase(file, namesOf(there)).pieces).toEqual([Buffer.from(text(there), 'latin1'), Buffer.from([0, 255])])
  rmSync(directory, { recursive: true })
})
