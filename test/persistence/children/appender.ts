/**
 * Appends commits as fast as they are settled and writes a line for each that was acknowledged:
 * `<shard> <firstSeq> <eventCount> <first byte of the events>`, until it is killed, or until a commit fails: then the
 * code of the error. Arguments: directory, bytes of an entry, bytes of a segment, most commits.
 */

import { writeSync } from 'node:fs'
import type { Deployment } from '../../../persistence/deployment.ts'
import { openJournal } from '../../../persistence/journal.ts'
import { replayLog } from '../../../persistence/recovery.ts'

const [, , dataDir = '', byteCount = '200', segmentBytesMax = '1000000', commitsMax = '1000000'] = process.argv
const deployment: Deployment = {
  formatVersion: 1,
  shards: 16,
  hashVersion: 1,
  secret: new Uint8Array(32),
  createdAtMs: 0,
}
const shards = new Set(Array.from({ length: 16 }, (_, shard) => shard))
const recovered = replayLog(dataDir, deployment, shards, () => {})
const journal = openJournal({ dataDir, deployment, lane: 0, recovered, segmentBytesMax: Number(segmentBytesMax) })
const nextSeqs = Array.from({ length: 16 }, (_, shard) => (recovered.heads.get(shard)?.seq ?? 0) + 1)

function commit(count: number): void {
  const drafts = [count % 16, (count * 7 + 3) % 16]
    .filter((shard, index, all) => all.indexOf(shard) === index)
    .map((shard) => {
      const firstSeq = nextSeqs[shard] ?? 1
      const eventCount = 1 + (count % 3)
      nextSeqs[shard] = firstSeq + eventCount
      const events = Buffer.alloc(Number(byteCount), (firstSeq * 31 + shard) % 251)
      return { shard, firstSeq, eventCount, timeMs: 1_000 + count, events, length: events.length }
    })
  journal.append(drafts, (error) => {
    if (error !== null) {
      writeSync(1, `${error.code}\n${error.message}\n`)
      process.exit(3)
    }
    writeSync(1, drafts.map((d) => `${d.shard} ${d.firstSeq} ${d.eventCount} ${d.events[0]}\n`).join(''))
    if (count < Number(commitsMax)) commit(count + 1)
    else void journal.close()
  })
}

commit(1)
