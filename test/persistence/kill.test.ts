import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { listSegments } from '../../persistence/segment-files.ts'
import { compiledChild } from './children/build.ts'
import { reopen, replay, seededRandom, temporaryDirectory } from './support.ts'

const KILLS = 10

test(`everything acknowledged before a SIGKILL is there after it, ${KILLS} times on one directory`, async () => {
  const dataDir = temporaryDirectory()
  const random = seededRandom()
  const acknowledged: string[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    const linesToKill = 20 + random(300)
    // Small segments, so that some kills fall into a rotation.
    const child = spawn(process.execPath, [compiledChild('appender'), dataDir, String(50 + random(4_000)), '100000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let lines = 0
    createInterface({ input: child.stdout }).on('line', (line) => {
      acknowledged.push(line)
      if (++lines === linesToKill) child.kill('SIGKILL')
    })
    const [, signal] = (await once(child, 'close')) as [number | null, string | null]
    expect(signal).toBe('SIGKILL')

    const stored = new Set(
      replay(dataDir).entries.map((e) => `${e.shard} ${e.firstSeq} ${e.eventCount} ${e.events.charCodeAt(0)}`),
    )
    expect(acknowledged.filter((line) => !stored.has(line))).toEqual([])
    // Beside the acknowledged ones at most the commit in flight at each kill, of two entries.
    expect(stored.size).toBeLessThanOrEqual(acknowledged.length + 2 * (kill + 1))

    // The next start makes what it found final, and changes no byte of it.
    const left = listSegments(dataDir).filter(({ seal }) => seal === null)
    const before = left.map(({ path }) => readFileSync(path))
    await reopen(dataDir).close()
    expect(left.length).toBeGreaterThan(0)
    for (const [index, { path }] of left.entries()) {
      expect(readFileSync(path).equals(before[index] ?? Buffer.alloc(0))).toBe(true)
    }
    expect(listSegments(dataDir).filter(({ seal }) => seal === null)).toEqual([])
  }
  expect(acknowledged.length).toBeGreaterThan(KILLS * 20)
})
