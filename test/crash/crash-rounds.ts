// The proof by crashes: load, SIGKILL, start again on the same directory, judge by what was told before.
//
//     start (sometimes killed in it, twice in a row) ──▶ settle ──▶ check ──▶ load ──▶ SIGKILL at a random moment ──▶ start …
//        every other life dies at a fail point, and the next life is judged for it
//        now and then: SIGTERM instead, must end with 0, and the judge reads the log
//
// Snapshots are due after a few events, so every life makes some and moves segments to the archive. The number of workers
// changes at any start, so shards wander between lanes. One seed makes all the choices but not the timing of the machine. At the
// first violation the directory stays as evidence.

import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { SeededRandom } from '../support/seeded-random.ts'
import { ServerProcess } from '../support/server-process.ts'
import { keepDirectory, removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { askJudge } from './ask-judge.ts'
import type { CrashLoad } from './crash-load.ts'
import { BACKGROUND_WAYS, Deaths, OTHER_DISK_POINTS, phaseOf, RECOVERY_WAYS, type Way } from './deaths.ts'
import type { LogEnd } from './judge.ts'
import { onKeptEvidence } from './keep-evidence.ts'
import { Violation } from './ledger.ts'

/** One start in so many is killed before it serves, half of these twice in a row. */
const START_KILLED_EVERY = 4
/** From the spawn to listening, and from there to ready, as long as it takes on a quiet machine. */
const LISTENING_MS = 250
const REPLAY_MS = 150
/** A fail point that is not met within this is passed over: the process is killed as at a random moment. */
const POINT_MS_MAX = 4_000
/** Snapshots and archiving yield to the load, so their end is waited for on a quiet server. */
const BACKGROUND_LOAD_MS = 300
const BACKGROUND_MS_MAX = 15_000
const SNAPSHOTS_MADE = 'snapshots made'
/** Lives that are checked end with SIGTERM instead, under load or behind it, or are judged as SIGKILL left them. */
const GRACEFUL_EVERY = 7
const SETTLED_EVERY = 8
const JUDGED_KILL_EVERY = 5
/** How long a server that has failed may still answer. */
const FAILURE_GRACE_MS = 3_000
const SLOW_DISKS_MAX = 5
const SNAPSHOT_EVENTS = '20'
const REPORT_EVERY = 10

export interface CrashOptions {
  readonly kills: number
  readonly seed: number
  readonly report: (line: string) => void
  /** Everything is looked at again at the end, not only what is new and a sample. */
  readonly isEndWhole?: boolean
  /** Where the archive lies; absent: in the data directory. */
  readonly otherDisk?: string | null
  /** Fail points are met in turn; the first of the turn is a matter of chance where this is true. */
  readonly beginsAnywhere?: boolean
  /** TEAROFF_ settings of the server, without their prefix. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface CrashCounts {
  readonly kills: number
  readonly deaths: Deaths
  readonly gracefulStops: number
  readonly judged: number
  readonly load: Readonly<Record<string, number>>
}

type LoadMaker = (random: SeededRandom) => CrashLoad

/** Throws a Violation; the directory is kept then, and named in the message. */
export async function proveByCrashes(make: LoadMaker, options: CrashOptions): Promise<CrashCounts> {
  const random = new SeededRandom(options.seed)
  const load = make(random)
  return await onKeptEvidence(`crash-${load.name}`, options.seed, (dataDir) => {
    return new CrashRounds(dataDir, load, random, options)
  })
}

class CrashRounds {
  round = 0
  private readonly dataDir: string
  private readonly load: CrashLoad
  private readonly random: SeededRandom
  private readonly options: CrashOptions
  private readonly ways: readonly Way[]
  private readonly deaths = new Deaths()
  private nextWay: number
  private checkedLives = 0
  private gracefulStops = 0
  private judged = 0
  private slowDisks = 0

  constructor(dataDir: string, load: CrashLoad, random: SeededRandom, options: CrashOptions) {
    this.dataDir = dataDir
    this.load = load
    this.random = random
    this.options = options
    const isReachable = ({ point }: Way): boolean =>
      (options.otherDisk ?? null) !== null || !OTHER_DISK_POINTS.has(point)
    this.ways = [...load.ways, ...BACKGROUND_WAYS.filter(isReachable)]
    this.nextWay = options.beginsAnywhere === true ? random.below(this.ways.length) : 0
  }

  get counts(): CrashCounts {
    const { deaths, gracefulStops, judged, load } = this
    return { kills: deaths.kills, deaths, gracefulStops, judged, load: load.counts() }
  }

  async run(): Promise<void> {
    const { otherDisk = null } = this.options
    if (otherDisk === null) {
      await this.liveAndDie()
      return
    }
    // The link needs a directory that is a deployment's.
    await this.serving(null, (server) => server.stop())
    const archive = temporaryDirectory('crash-archive', otherDisk)
    symlinkSync(archive, join(this.dataDir, 'archive'))
    try {
      await this.liveAndDie()
    } catch (error) {
      keepDirectory(archive)
      throw error
    }
    removeDirectory(archive)
  }

  private async liveAndDie(): Promise<void> {
    while (this.deaths.kills < this.options.kills) {
      this.round++
      if (this.random.below(START_KILLED_EVERY) === 0) await this.dieInStarts()
      // Every other life dies at a fail point, and is settled and judged by the next.
      await (this.round % 2 === 0 ? this.live(this.wayInTurn()) : this.live(null))
      if (this.round % REPORT_EVERY === 0) this.report()
    }
    await this.lastLives()
    this.report()
  }

  /** Everything again, then a graceful stop and a start: replay has to give the state that was alive. */
  private async lastLives(): Promise<void> {
    for (let life = 0; life < 2; life++) {
      await this.serving(null, async (server) => {
        await this.settleAndCheck(server, this.options.isEndWhole === true)
        await this.stop(server, 'settled')
      })
    }
  }

  private async live(way: Way | null): Promise<void> {
    await this.serving(way, async (server) => {
      if (way !== null) {
        await this.dieAt(way, server)
        return
      }
      this.checkedLives++
      await this.settleAndCheck(server, false)
      if (this.checkedLives % SETTLED_EVERY === 0) {
        await this.stop(server, 'settled')
        return
      }
      await this.load.prepare(this.round)
      await this.dieAnyTime(server)
    })
  }

  /** Runs with a server that is ready. One that meets its way to die before is not run with. */
  private async serving(way: Way | null, run: (server: ServerProcess) => Promise<void>): Promise<void> {
    const server = this.spawn(way)
    try {
      try {
        await server.listening
        await server.ready
        await this.load.connect(server)
      } catch (error) {
        if (way === null || (await server.ended).signal !== 'SIGKILL') throw error
        await this.met(way, server)
        return
      }
      await run(server)
    } catch (error) {
      if (!(await this.hadSlowDisk(server))) throw error
    } finally {
      this.load.disconnect()
      if (server.isRunning) await server.kill()
    }
  }

  /**
   * A server that cannot tell within 2 s whether a commit is on disk ends by itself, as it promises. On a machine that is busy with
   * other things that is a death like any other, but for the disk: it may not happen often.
   */
  private async hadSlowDisk(server: ServerProcess): Promise<boolean> {
    await Promise.race([server.ended, wait(FAILURE_GRACE_MS)])
    if (server.isRunning || !server.lastErrorLine.includes('(FLUSH_FAILED)')) return false
    this.slowDisks++
    if (this.slowDisks > SLOW_DISKS_MAX) throw new Violation(`the disk is too slow for this proof\n${server.lastWords}`)
    return true
  }

  private spawn(way: Way | null): ServerProcess {
    const { load, random, options } = this
    return new ServerProcess({
      dataDir: this.dataDir,
      settings: { WORKERS: String(random.pick(load.workers)), SNAPSHOT_EVENTS, ...options.settings },
      ...(way === null ? {} : { env: { FAILPOINTS: armed(way, random) } }),
    })
  }

  private async settleAndCheck(server: ServerProcess, isWhole: boolean): Promise<void> {
    try {
      await this.load.settle()
      await this.load.check(isWhole)
    } catch (cause) {
      throw new Violation(`${(cause as Error).message}\n${server.lastWords}`, { cause })
    }
  }

  private async dieAnyTime(server: ServerProcess): Promise<void> {
    const { load, random } = this
    const isGraceful = this.checkedLives % GRACEFUL_EVERY === 0
    const { done, stop } = load.begin(this.round)
    const lifeMs = random.below(load.loadMsMax)
    // Whichever comes first: a violation seen by a client, or the end of this life.
    await Promise.race([server.ended, wait(lifeMs), rejectionOf(done)])
    const endedByItself = !server.isRunning
    if (isGraceful && !endedByItself) {
      stop()
      await server.stop()
      this.gracefulStops++
    } else {
      if (!endedByItself) await this.killServing(server)
      stop()
    }
    load.disconnect()
    await done
    if (endedByItself) throw new Violation(`the server ended by itself\n${server.lastWords}`)
    if (isGraceful) await this.judge('stopped')
    else if (this.checkedLives % JUDGED_KILL_EVERY === 0) await this.judge('killed')
  }

  private async dieAt(way: Way, server: ServerProcess): Promise<void> {
    const { load } = this
    const phase = phaseOf(way.point)
    const isInBackground = phase === 'snapshot' || phase === 'archive'
    const { done, stop } = load.begin(this.round)
    const loadMs = isInBackground ? BACKGROUND_LOAD_MS : POINT_MS_MAX
    await Promise.race([server.ended, wait(loadMs), rejectionOf(done)])
    stop()
    if (isInBackground) await Promise.race([server.ended, server.hasSaid(SNAPSHOTS_MADE), wait(BACKGROUND_MS_MAX)])
    const wasKilledHere = server.isRunning
    if (wasKilledHere) await this.killServing(server)
    load.disconnect()
    await done
    if (!wasKilledHere) await this.met(way, server)
  }

  private async killServing(server: ServerProcess): Promise<void> {
    await server.kill()
    this.deaths.during(this.load.isJobUnderWay ? 'job' : 'serving')
  }

  private async met(way: Way, server: ServerProcess): Promise<void> {
    const { signal } = await server.ended
    if (signal !== 'SIGKILL' || server.errorLines.some((line) => line.includes('Error'))) {
      throw new Violation(`the server failed before ${way.point}\n${server.lastWords}`)
    }
    this.deaths.at(way)
  }

  private async dieInStarts(): Promise<void> {
    const times = 1 + this.random.below(2)
    for (let i = 0; i < times; i++) {
      if (this.random.below(2) === 0) await this.dieInRecovery(this.random.pick(RECOVERY_WAYS))
      else await this.dieInStart()
    }
  }

  private async dieInRecovery(way: Way): Promise<void> {
    const server = this.spawn(way)
    const isReady = server.ready.then(
      () => true,
      () => false,
    )
    if (await isReady) {
      // There was less to replay.
      await server.kill()
      this.deaths.during('serving')
      return
    }
    await this.met(way, server)
  }

  private async dieInStart(): Promise<void> {
    const server = this.spawn(null)
    if (this.random.below(3) === 0) {
      await wait(this.random.below(LISTENING_MS))
    } else {
      await server.listening
      await wait(this.random.below(REPLAY_MS))
    }
    if (!server.isRunning) throw new Violation(`the server ended in its start\n${server.lastWords}`)
    await server.kill()
    const isReady = server.log.some(({ msg }) => msg === 'ready')
    this.deaths.during(isReady ? 'serving' : server.port === 0 ? 'start' : 'recovery')
  }

  private async stop(server: ServerProcess, end: LogEnd): Promise<void> {
    this.load.disconnect()
    await server.stop()
    this.gracefulStops++
    await this.judge(end)
  }

  private async judge(end: LogEnd): Promise<void> {
    await askJudge(this.dataDir, this.load.facts(end))
    this.judged++
  }

  private wayInTurn(): Way {
    const way = this.ways[this.nextWay % this.ways.length] as Way
    this.nextWay++
    return way
  }

  private report(): void {
    const { deaths, options, load } = this
    const told = Object.entries(load.counts())
      .map(([what, count]) => `${count} ${what}`)
      .join(', ')
    options.report(
      `${load.name}: ${deaths.kills} of ${options.kills} kills (${deaths.atPoints} at fail points), ` +
        `${this.gracefulStops} graceful stops, ${this.judged} times judged, ${this.slowDisks} ended by a slow disk; ${told}`,
    )
  }
}

function armed({ point, when, timesMax }: Way, random: SeededRandom): string {
  return `${point}:${when}:${1 + random.below(timesMax)}`
}

/** Rejects as the other does, and otherwise never settles. */
function rejectionOf(done: Promise<void>): Promise<never> {
  return done.then(() => new Promise<never>(() => {}))
}
