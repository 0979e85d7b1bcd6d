/**
 * The world of a run: the disk, the wire and the processes, and everything that can go wrong with them. Callers see one
 * function, `call`, and its three ends, as the transport port has them.
 *
 *     callers ── call ──▶ wire ──▶ lane (real) ──▶ journal ──▶ disk          what dies comes back after a while and
 *        ▲                 ▲         │   ▲                                   rebuilds itself from the disk
 *        └──── answers ────┴─────────┘   └─── messages of other lanes
 */
import { isDeepStrictEqual } from 'node:util'
import { type FailPoint, armFailPoint } from '../../engine/shard/fail-points.ts'
import { MESSAGE_MARK, SETTLED, type Settled } from '../../engine/transport/port.ts'
import type { GroupLog } from '../../engine/shard/lane.ts'
import type { ShardState } from '../../engine/domain/state.ts'
import type { Deployment } from '../../persistence/deployment.ts'
import { imageOf } from '../engine/stack/stack-image.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { RunDigest } from './run-digest.ts'
import { Schedule } from './schedule.ts'
import { isDamage, SimulatedDisk } from './simulated-disk.ts'
import type { DiskTemper, Fate } from './simulated-journal.ts'
import {
  type ProcessPorts,
  rebuild,
  type Rebuilt,
  SimulatedDeath,
  SimulatedProcess,
  wordsOf,
} from './simulated-process.ts'
import type { FaultStep, Scenario } from './steps.ts'
import { Wire } from './wire.ts'

export const BEGIN_MS = 1_760_000_000_000
const SECRET = new Uint8Array(32).map((_, i) => i * 11 + 5)
/** A caller that has heard nothing for so long is told that the outcome is unknown. */
const CALL_TIMEOUT_MS = 3_000
/** A process that has lost its disk answers so long at most that it has. */
const FAILURE_GRACE_MS = 2_000
const CLOCK_BEHIND_MAX_MS = 60_000
const CALM_SWEEP_MS_MAX = 60_000
const CALLERS = -1
const CALM_FLUSH_MS = 1

export function deploymentOf(shards: number): Deployment {
  return { formatVersion: 1, hashVersion: 1, shards, secret: SECRET, createdAtMs: BEGIN_MS }
}

/** Bytes of the digest: what a frame is. */
const MOVED = { COMMAND: 1, MESSAGE: 2, ANSWER: 3, RECORD: 4, FAULT: 5 } as const

/** What an answer says, and what was on the disk of its shard when it left. */
export type Settle = (kind: Settled, bytes: Uint8Array | null, durableSeq: number) => void

interface OpenCall {
  readonly shard: number
  readonly settle: Settle
  readonly process: number
}

/** A place for a process, whatever its life. */
interface Place {
  readonly lanes: readonly number[]
  process: SimulatedProcess | null
  /** Its wall clock is so far ahead of the time of the run. */
  wallAheadMs: number
  isComing: boolean
  /** It has lost its disk and ends soon. */
  hasFailed: boolean
}

/** Faults planted on purpose, to see that the audit finds them: ports that do not keep their word. */
export interface Plants {
  /** Stands between the lanes and their journal; `soon` runs something of the process a moment later. */
  readonly journal?: (journal: GroupLog, soon: (run: () => void) => void) => GroupLog
  /** Whether a message between lanes arrives. */
  readonly passes?: (message: Uint8Array) => boolean
}

export class World {
  readonly schedule = new Schedule()
  readonly disk: SimulatedDisk
  readonly digest = new RunDigest()
  readonly deployment: Deployment
  readonly counts: Record<string, number> = {}
  /** What broke: sentences. */
  readonly faults: string[] = []
  private readonly scenario: Scenario
  private readonly plants: Plants
  private readonly random: SeededRandom
  private readonly wire: Wire
  private readonly places: Place[]
  private readonly tempers = new Map<number, DiskTemper>()
  private readonly calls = new Map<number, OpenCall>()
  private nextCall = 0
  private layout: number
  private lastBusyMs = 0
  private isCalm = false

  constructor(scenario: Scenario, plants: Plants = {}) {
    this.scenario = scenario
    this.plants = plants
    const { seed, shards, lanes, mode } = scenario
    this.random = new SeededRandom(seed * 2 + 1)
    this.disk = new SimulatedDisk(shards)
    this.deployment = deploymentOf(shards)
    this.wire = new Wire(this.schedule, this.random, scenario, this.count)
    this.layout = lanes
    const all = Array.from({ length: lanes }, (_, lane) => lane)
    this.places = (mode === 'local' ? [all] : all.map((lane) => [lane])).map((each) => {
      return { lanes: each, process: null, wallAheadMs: 0, isComing: false, hasFailed: false }
    })
    for (const place of this.places) this.start(place, 0)
  }

  readonly count = (what: string): void => {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  get nowMs(): number {
    return this.schedule.nowMs
  }

  /** Sends a command; `settle` is called exactly once. */
  call(shard: number, bytes: Uint8Array, settle: Settle): void {
    this.lastBusyMs = this.nowMs
    const request = this.nextCall++
    const lane = shard % this.layout
    const index = this.placeOfLane(lane)
    const place = this.places[index] as Place
    this.digest.add(MOVED.COMMAND, shard, this.nowMs, bytes)
    if (place.process === null && (this.scenario.mode === 'local' || this.random.below(2) === 0)) {
      this.count('call not done: nobody there')
      this.schedule.after(1, () => settle(SETTLED.NOT_DONE_UNAVAILABLE, null, 0))
      return
    }
    if (place.hasFailed) {
      this.schedule.after(0, () => settle(SETTLED.STORAGE, null, 0))
      return
    }
    this.calls.set(request, { shard, settle, process: index })
    if (this.scenario.mode === 'network') {
      this.schedule.after(CALL_TIMEOUT_MS, () => this.settle(request, SETTLED.UNKNOWN, null, 0))
    }
    const { process } = place
    this.wire.send(CALLERS, lane, () => this.arrive(index, process, request, shard, bytes))
  }

  fault(step: FaultStep): void {
    switch (step.do) {
      case 'crash': {
        const index = step.process % this.places.length
        const place = this.places[index] as Place
        if (step.isPowerCut) this.disk.powerCut(this.lanesOf(place).map(({ lane }) => lane))
        if (this.scenario.mode === 'local') this.layout = step.layout
        this.count(step.isPowerCut ? 'power cut' : 'crash')
        this.kill(place, step.isPowerCut)
        this.comeBack(place, step.downMs, step.recoveryCrashes)
        return
      }
      case 'failPoint':
        armFailPoint({ point: step.point, when: step.when, left: step.times, die: () => this.dieAt(step.point) })
        return
      case 'clockJump':
        this.count(step.byMs > 0 ? 'clock jumps ahead' : 'clock jumps back')
        ;(this.places[step.process % this.places.length] as Place).wallAheadMs += step.byMs
        return
      case 'slowFlushes':
        this.count('slow flushes')
        this.setFlush(step.lane, step.flushMs)
        this.schedule.after(step.forMs, () => this.setFlush(step.lane, CALM_FLUSH_MS))
        return
      case 'diskFault':
        this.temperOf(step.lane % this.scenario.lanes).next = step.fault
        return
      case 'nearlyFull':
        this.count('disk nearly full')
        this.temperOf(step.lane % this.scenario.lanes).isNearlyFull = true
        this.schedule.after(step.forMs, () => {
          this.temperOf(step.lane % this.scenario.lanes).isNearlyFull = false
        })
        return
      case 'flipBit':
        this.flipBit(this.places[step.process % this.places.length] as Place, step.pick)
        return
      case 'snapshot':
        this.snapshot(step.shard % this.scenario.shards)
        return
      case 'partition':
        if (this.scenario.mode === 'network') this.wire.partition(step.lane % this.scenario.lanes, step.forMs)
        return
    }
  }

  /** Nothing goes wrong any more: everything that is down comes back, and what is sent arrives. */
  calm(): void {
    this.isCalm = true
    armFailPoint(null)
    this.wire.heal()
    for (const temper of this.tempers.values()) Object.assign(temper, { flushMs: 1, isNearlyFull: false, next: 'FINE' })
  }

  /** Time passes. */
  pass(ms: number): void {
    this.schedule.runTo(this.nowMs + ms)
  }

  /** Compares every shard's live state with what its log says, with and without snapshots. Nothing may be under way. */
  compareStates(): void {
    const shards = Array.from({ length: this.scenario.shards }, (_, shard) => shard)
    const nobody = (): boolean => false
    const whole = rebuild(this.disk, this.deployment, shards, nobody, { isWithSnapshots: false })
    const quick = rebuild(this.disk, this.deployment, shards, nobody)
    for (const { process } of this.places) {
      if (process === null) {
        this.faults.push('a process is still down at the end')
        continue
      }
      for (const [shard, live] of process.states) {
        const replayed = whole.states.get(shard) as ShardState
        this.compare(shard, live, replayed)
        if (!isSame(wordsOf(replayed), wordsOf(quick.states.get(shard) as ShardState))) {
          this.faults.push(`shard ${shard}: a replay of all and one from a snapshot differ`)
        }
      }
    }
  }

  /** Links of heaps may differ: looking at a heap puts it in order. So a live state is compared by what it says. */
  private compare(shard: number, live: ShardState, replayed: ShardState): void {
    this.count('live state compared with its replay')
    if (isDeepStrictEqual(imageOf(live), imageOf(replayed))) return
    this.faults.push(`shard ${shard}: live state and replay differ`)
  }

  private placeOfLane(lane: number): number {
    return this.scenario.mode === 'local' ? 0 : lane
  }

  /** `sentTo`: in one process a frame dies with the life it was sent in. */
  private arrive(
    index: number,
    sentTo: SimulatedProcess | null,
    request: number,
    shard: number,
    bytes: Uint8Array,
  ): void {
    const { process, hasFailed } = this.places[index] as Place
    if (process === null || hasFailed) return
    if (this.scenario.mode === 'local' && process !== sentTo) return
    if (!process.take(request, shard, bytes)) {
      if (request !== MESSAGE_MARK) this.settle(request, SETTLED.NOT_DONE_OVERLOADED, null, 0)
      return
    }
    const life = process.laneOf(shard)
    if (life.isTurnPlanned) return
    life.isTurnPlanned = true
    this.schedule.after(0, () => {
      life.isTurnPlanned = false
      if (process.isAlive) process.turn(life)
    })
  }

  private settle(request: number, kind: Settled, bytes: Uint8Array | null, durableSeq: number): void {
    const call = this.calls.get(request)
    if (call === undefined) return
    this.calls.delete(request)
    call.settle(kind, bytes, durableSeq)
  }

  private answered(lane: number, request: number, kind: number, bytes: Uint8Array): void {
    this.digest.add(MOVED.ANSWER, lane, this.nowMs, bytes)
    const call = this.calls.get(request)
    // Of a copy: its first answer has been heard.
    if (call === undefined) return
    const durableSeq = this.disk.lastSeq(call.shard)
    this.wire.send(lane, CALLERS, () => this.settle(request, kind as Settled, bytes, durableSeq))
  }

  private message(lane: number, bytes: Uint8Array): void {
    this.digest.add(MOVED.MESSAGE, lane, this.nowMs, bytes)
    if (this.plants.passes?.(bytes) === false) return
    const to = (bytes[3] as number) | ((bytes[4] as number) << 8)
    const toLane = to % this.layout
    const index = this.placeOfLane(toLane)
    const { process } = this.places[index] as Place
    this.wire.send(lane, toLane, () => this.arrive(index, process, MESSAGE_MARK, to, bytes))
  }

  /** Runs something of a process, which may die of it. */
  private run(process: SimulatedProcess, what: () => void): void {
    if (!process.isAlive) return
    try {
      what()
    } catch (error) {
      const place = this.places.find((each) => each.process === process) as Place
      if (!(error instanceof SimulatedDeath)) {
        this.faults.push(`an invariant broke: ${error instanceof Error ? error.message : String(error)}`)
      }
      this.kill(place, false)
      this.comeBack(place, 1 + this.random.below(500), 0)
    }
  }

  private dieAt(point: FailPoint): never {
    armFailPoint(null)
    this.count(`died at ${point}`)
    throw new SimulatedDeath(point)
  }

  /** Whoever dies takes with it what it has not flushed, or not: the disk may have it. */
  private kill(place: Place, isPowerCut: boolean): void {
    const { process } = place
    if (process === null) return
    place.process = null
    place.hasFailed = false
    const fates: readonly Fate[] = isPowerCut ? ['KEPT', 'LOST', 'TORN'] : ['KEPT', 'LOST']
    process.end(() => {
      const fate = this.random.pick(fates)
      this.count(`commit under way at a crash: ${fate}`)
      return fate
    })
    const index = this.places.indexOf(place)
    for (const [request, call] of this.calls) {
      if (call.process !== index || this.scenario.mode === 'network') continue
      this.schedule.after(1, () => this.settle(request, SETTLED.UNKNOWN, null, 0))
    }
  }

  private comeBack(place: Place, downMs: number, recoveryCrashes: number): void {
    if (place.isComing) return
    place.isComing = true
    this.schedule.after(downMs, () => {
      place.isComing = false
      if (place.process === null) this.start(place, recoveryCrashes)
    })
  }

  private start(place: Place, recoveryCrashes: number): void {
    const lanes = this.lanesOf(place)
    const shards = lanes.flatMap((each) => each.shards)
    if (recoveryCrashes > 0 && !this.isCalm) {
      this.crashWhileRecovering(shards, lanes)
      this.comeBack(place, this.random.below(50), recoveryCrashes - 1)
      return
    }
    const rebuilt = this.rebuilt(shards, lanes)
    const lastLoggedMs = Math.max(0, ...[...rebuilt.states.values()].map(({ timeMs }) => timeMs))
    const behindMs = lastLoggedMs - this.wallMs(place)
    if (behindMs >= CLOCK_BEHIND_MAX_MS) {
      // It stops with a sentence; whoever reads it sets the clock.
      this.count('start refused: clock behind the log')
      place.wallAheadMs = 0
      const stillBehindMs = lastLoggedMs - this.wallMs(place)
      if (stillBehindMs > 0) place.wallAheadMs = stillBehindMs
      this.comeBack(place, 100, 0)
      return
    }
    if (behindMs > 0) {
      this.count('start waits for the clock')
      this.comeBack(place, behindMs, 0)
      return
    }
    const process = new SimulatedProcess(this.portsOf(place), lanes, rebuilt, () => this.nowMs)
    place.process = process
    for (const life of process.lanes) {
      const sweep = (): void => {
        if (!process.isAlive) return
        process.sweep(life)
        this.schedule.after(this.nextSweepMs(), sweep)
      }
      this.schedule.after(this.scenario.sweepMs, sweep)
    }
  }

  /** Busy lanes look often, calm ones the more seldom the longer nothing has come. */
  private nextSweepMs(): number {
    const calmMs = this.nowMs - this.lastBusyMs
    if (calmMs < CALL_TIMEOUT_MS) return this.scenario.sweepMs
    return Math.min(CALM_SWEEP_MS_MAX, Math.floor(calmMs / 8))
  }

  private rebuilt(
    shards: readonly number[],
    lanes: readonly { readonly lane: number }[],
    onEntry: () => void = () => {},
  ): Rebuilt {
    const mine = (lane: number): boolean => this.scenario.mode === 'local' || lanes.some((each) => each.lane === lane)
    const rebuilt = rebuild(this.disk, this.deployment, shards, mine, { onEntry })
    for (let i = 0; i < rebuilt.torn; i++) this.count('torn record left out')
    return rebuilt
  }

  private crashWhileRecovering(shards: readonly number[], lanes: readonly { readonly lane: number }[]): void {
    this.count('crash during recovery')
    let left = this.random.below(40)
    const die = (): void => {
      if (left-- === 0) throw new SimulatedDeath('recovery')
    }
    try {
      this.rebuilt(shards, lanes, die)
    } catch (error) {
      if (!(error instanceof SimulatedDeath)) throw error
    }
  }

  private lanesOf(place: Place): { readonly lane: number; readonly shards: readonly number[] }[] {
    const { shards, mode } = this.scenario
    const numbers = mode === 'local' ? Array.from({ length: this.layout }, (_, lane) => lane) : place.lanes
    return numbers.map((lane) => {
      const own = Array.from({ length: shards }, (_, shard) => shard).filter((shard) => shard % this.layout === lane)
      return { lane, shards: own }
    })
  }

  private portsOf(place: Place): ProcessPorts {
    const { schedule, disk, random, count, deployment } = this
    return {
      deployment,
      disk,
      count,
      splitsRecords: this.scenario.mode === 'network' && this.scenario.seed % 2 === 0,
      wallMs: () => this.wallMs(place),
      random: (bytes) => Uint8Array.from({ length: bytes }, () => random.below(256)),
      journal: (lane) => ({
        schedule,
        disk,
        temper: this.temperOf(lane),
        random,
        count,
        onRecord: (bytes) => this.digest.add(MOVED.RECORD, lane, this.nowMs, bytes),
      }),
      wrapJournal: (process, journal) => {
        const soon = (run: () => void): void => this.schedule.after(0, () => this.run(process, run))
        return this.plants.journal?.(journal, soon) ?? journal
      },
      run: (process, what) => this.run(process, what),
      onAnswer: (lane, request, kind, bytes) => this.answered(lane, request, kind, bytes),
      onMessage: (lane, bytes) => this.message(lane, bytes),
      onFailed: () => this.diskFailed(place),
    }
  }

  /** Everything in flight is told so, and after a while the process ends. */
  private diskFailed(place: Place): void {
    const { process } = place
    const index = this.places.indexOf(place)
    place.hasFailed = true
    for (const [request, call] of this.calls) {
      if (call.process === index) this.schedule.after(0, () => this.settle(request, SETTLED.STORAGE, null, 0))
    }
    this.schedule.after(this.random.below(FAILURE_GRACE_MS), () => {
      if (place.process !== process) return
      this.kill(place, false)
      this.comeBack(place, this.random.below(500), 0)
    })
  }

  /** The process is stopped, a bit of its log flips, its start refuses; somebody brings a backup, and it starts. */
  private flipBit(place: Place, pick: number): void {
    // What a power cut has left is not settled before the next start: there a bit may be taken for a torn commit. So it
    // is a bit of a process that lives, and of no other's lanes.
    if (place.process === null) return
    this.kill(place, false)
    const choose = new SeededRandom(pick)
    const lanes = this.lanesOf(place).map(({ lane }) => lane)
    const turnBack = this.disk.flip(lanes, (end) => choose.below(end))
    if (turnBack !== null) {
      this.count('bit flipped at rest')
      try {
        rebuild(
          this.disk,
          this.deployment,
          Array.from({ length: this.scenario.shards }, (_, i) => i),
          () => false,
          {
            isWithSnapshots: false,
          },
        )
        this.faults.push('a log with a flipped bit was read as if nothing were wrong')
      } catch (error) {
        if (!isDamage(error)) throw error
      }
      turnBack()
    }
    this.comeBack(place, 1 + this.random.below(100), 0)
  }

  private snapshot(shard: number): void {
    const { states, heads } = rebuild(this.disk, this.deployment, [shard], () => false)
    const head = heads.get(shard)
    if (head === undefined) return
    this.count('snapshot')
    const replayed = states.get(shard) as ShardState
    this.disk.snapshots.set(shard, { head, words: wordsOf(replayed) })
    const { process } = this.places[this.placeOfLane(shard % this.layout)] as Place
    const live = process?.states.get(shard)
    if (live !== undefined && live.seq === replayed.seq) this.compare(shard, live, replayed)
  }

  private temperOf(lane: number): DiskTemper {
    let temper = this.tempers.get(lane)
    if (temper === undefined) {
      temper = { flushMs: CALM_FLUSH_MS, isNearlyFull: false, next: 'FINE' }
      this.tempers.set(lane, temper)
    }
    return temper
  }

  private setFlush(lane: number, flushMs: number): void {
    this.temperOf(lane % this.scenario.lanes).flushMs = this.isCalm ? CALM_FLUSH_MS : flushMs
  }

  private wallMs(place: Place): number {
    return BEGIN_MS + this.nowMs + place.wallAheadMs
  }
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i])
}
