import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Deployment, openOrCreateDeployment, readDeployment } from '../../persistence/deployment.ts'
import { JournalError } from '../../persistence/errors.ts'
import { errorOf, flipByte, temporaryDirectory } from './support.ts'

const now = () => 1_764_000_000_123
const random = (byteCount: number) => Uint8Array.from({ length: byteCount }, (_, index) => index * 3)

test('a deployment is made once and then read', () => {
  const dataDir = join(temporaryDirectory(), 'data')
  const made = openOrCreateDeployment(dataDir, { shards: 16 }, now, random)
  expect(made.shards).toBe(16)
  expect(made.createdAtMs).toBe(1_764_000_000_123)
  expect([...made.secret.subarray(0, 4)]).toEqual([0, 3, 6, 9])
  const later = openOrCreateDeployment(
    dataDir,
    { shards: 16 },
    () => 5,
    () => new Uint8Array(32),
  )
  expect(later).toEqual(made)
  expect(readDeployment(dataDir)).toEqual(made)
  expect(statSync(join(dataDir, 'deployment.json')).mode & 0o077).toBe(0)
})

test('another number of shards ends in a sentence that names both', () => {
  const dataDir = temporaryDirectory()
  openOrCreateDeployment(dataDir, { shards: 16 }, now, random)
  const error = errorOf(() => openOrCreateDeployment(dataDir, { shards: 32 }, now, random))
  expect(error.code).toBe('DEPLOYMENT_MISMATCH')
  expect(error.message).toContain('was made with 16 shards and 32 are asked for')
})

test.each([0, 3, 2_048, 1.5])('%d shards are refused', (shards) => {
  const dataDir = temporaryDirectory()
  expect(errorOf(() => openOrCreateDeployment(dataDir, { shards }, now, random)).code).toBe('DEPLOYMENT_MISMATCH')
})

test.each(['formatVersion', 'hashVersion'])('a newer %s ends in a sentence', (field) => {
  const dataDir = temporaryDirectory()
  openOrCreateDeployment(dataDir, { shards: 16 }, now, random)
  const path = join(dataDir, 'deployment.json')
  const fields = { ...(JSON.parse(readFileSync(path, 'utf8')) as object), [field]: 2 }
  writeFileSync(path, JSON.stringify(fields))
  const error = errorOf(() => openOrCreateDeployment(dataDir, { shards: 16 }, now, random))
  expect(error.code).toBe('JOURNAL_NEWER_FORMAT')
  expect(error.message).toContain('later version of Tearoff')
})

test('a changed secret is found', () => {
  const dataDir = temporaryDirectory()
  openOrCreateDeployment(dataDir, { shards: 16 }, now, random)
  const path = join(dataDir, 'deployment.json')
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replace('"secret": "00', '"secret": "01'))
  expect(errorOf(() => readDeployment(dataDir)).code).toBe('JOURNAL_DAMAGED')
})

test('no flipped byte of the file gives another deployment', () => {
  const dataDir = temporaryDirectory()
  const made = openOrCreateDeployment(dataDir, { shards: 16 }, now, random)
  const path = join(dataDir, 'deployment.json')
  const { size } = statSync(path)
  let found = 0
  for (let at = 0; at < size; at++) {
    flipByte(path, at)
    const outcome = readOrCode(dataDir)
    if (typeof outcome === 'string') found++
    // Where the byte does not matter (white space), the deployment is the same.
    expect([made, 'JOURNAL_DAMAGED', 'JOURNAL_NEWER_FORMAT']).toContainEqual(outcome)
    flipByte(path, at)
  }
  expect(found).toBeGreaterThan(150)
})

test('a log without its deployment is not given a new one', () => {
  const dataDir = temporaryDirectory()
  mkdirSync(join(dataDir, 'lanes', '00'), { recursive: true })
  const error = errorOf(() => openOrCreateDeployment(dataDir, { shards: 16 }, now, random))
  expect(error.code).toBe('JOURNAL_DAMAGED')
  expect(error.message).toContain('holds a log but no deployment.json')
})

function readOrCode(dataDir: string): Deployment | string {
  try {
    return readDeployment(dataDir)
  } catch (error) {
    if (error instanceof JournalError) return error.code
    throw error
  }
}
