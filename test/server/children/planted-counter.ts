// Loaded into every thread of a server before anything else, with `--import`: a worker counts wrong once, as the environment says.
// The product knows nothing of it.
//
//     TEST_PLANT        when this file exists, at the next sweep
//     TEST_PLANT_ROW    the coupon, campaign or code, `shard:ordinal`
//     TEST_PLANT_MORE   so many uses too many

import { existsSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { ShardActor } from '../../../engine/shard/actor.ts'

type SweepArguments = Parameters<ShardActor['sweep']>

const { TEST_PLANT: file, TEST_PLANT_ROW: row = '', TEST_PLANT_MORE: more } = process.env
const [shard, ordinal] = row.split(':').map(Number)

if (!isMainThread && file !== undefined && shard !== undefined && ordinal !== undefined) {
  const sweep = Reflect.get(ShardActor.prototype, 'sweep') as (this: ShardActor, ...args: SweepArguments) => void
  let isPlanted = false
  ShardActor.prototype.sweep = function (...args: SweepArguments): void {
    const { uses } = this.state.tables.coupons
    if (!isPlanted && this.state.shard === shard && existsSync(file)) {
      isPlanted = true
      uses.set(ordinal, uses.get(ordinal) + Number(more))
    }
    sweep.apply(this, args)
  }
}
