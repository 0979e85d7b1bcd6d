// The host of imports looks for jobs shard by shard: one that is logged meanwhile, on a shard that was asked already, is not missed.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { SETTLED, type ReplyHandler, type ShardTransport } from '../../engine/transport/port.ts'
import { ImportHost } from '../../imports/host.ts'
import { ByteReader, ByteWriter } from '../../protocol/bytes.ts'
import { writeOutcome, writePosition } from '../../protocol/outcome-codec.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

let directory: string

beforeEach(() => {
  directory = temporaryDirectory('import-host')
})

afterEach(() => removeDirectory(directory))

/** Two shards without jobs that say when they are asked. */
class Shards implements ShardTransport {
  readonly shards = 2
  readonly inFlight = 0
  readonly asked: number[] = []
  private readonly onAsked: (asked: readonly number[]) => void

  constructor(onAsked: (asked: readonly number[]) => void) {
    this.onAsked = onAsked
  }

  call(shard: number, _bytes: Uint8Array, _length: number, handler: ReplyHandler): void {
    this.asked.push(shard)
    this.onAsked(this.asked)
    const answer = new ByteWriter()
    writePosition(answer, { shard, seq: 1, timeMs: 1 })
    writeOutcome(answer, { type: OUTCOME.JOBS, jobs: [] })
    handler.settled(SETTLED.ANSWERED, new ByteReader(answer.buf, 0, answer.pos))
  }
}

it('looks again when a job is begun while it looks', async () => {
  const first = [0, 1]
  await new Promise<void>((resolve, reject) => {
    const host: ImportHost = new ImportHost({
      dataDir: directory,
      secret: new Uint8Array(32),
      events: { onEnded: () => undefined, onDied: reject },
      transport: new Shards((asked) => {
        // Shard 0 has just said that it has none; now it gets one.
        if (asked.length === first.length) host.started()
        if (asked.length === first.length + 1) {
          expect(asked).toEqual([...first, 0])
          host.stop()
          resolve()
        }
      }),
    })
    host.started()
  })
})
