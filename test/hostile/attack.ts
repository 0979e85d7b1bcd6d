// The proof by hostile clients: a real server, a bystander that sells, and as many inputs as one likes.
//
//     round:   quiet ───────▶ attack ──────────────▶      the bystander's latencies are kept apart by phase,
//              bystander      bystander                   so both are from the same minutes of the same machine
//              alone          + senders + deaf clients
//
// An input is made from the seed and its number alone, whoever sends it and whenever.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Footprint, FootprintSampler } from '../../bench/server/footprint.ts'
import { Contract, type OpenApi } from '../gateway/support/contract.ts'
import { HttpClient } from '../support/http-client.ts'
import { PROJECT_ROOT } from '../support/project.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { keepDirectory, removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import type { BystanderOrder, BystanderReport } from './bystander-main.ts'
import { crowd, deafHttp, deafWebSocket } from './deaf.ts'
import { HttpInputs } from './http-inputs.ts'
import { type Input, loadCase, type Origin, saveCase } from './input.ts'
import { faultsOfLog } from './judge.ts'
import { RawInputs } from './raw-inputs.ts'
import { Sender } from './sender.ts'
import { WebSocketInputs } from './websocket-inputs.ts'
import { startEnvironment } from '../../bench/project.ts'
import { BYSTANDER_CODE, createKeys, createWorld, namesOf, type World } from './world.ts'

const SENDERS = 8
const FAULTS_MAX = 10
const SAMPLE_MS = 1_000
const BYSTANDER_ENTRY = join(PROJECT_ROOT, 'dist', 'test', 'hostile', 'bystander-main.js')

export interface AttackOptions {
  readonly inputs: number
  readonly seed: number
  readonly rounds: number
  /** The bystander alone, before each round's attack. */
  readonly quietMs: number
  /** Inputs a second, at most; null: as fast as they are answered. */
  readonly rate: number | null
  /** Rounds with clients that never read and crowds. */
  readonly deafRounds: number
  readonly report: (line: string) => void
}

export interface AttackResult {
  readonly inputs: number
  readonly seconds: number
  /** How often each status, code or close answered. */
  readonly tally: ReadonlyMap<string, number>
  readonly quietMs: readonly number[]
  readonly attackMs: readonly number[]
  readonly redeemed: number
  readonly footprints: readonly Footprint[]
  readonly faults: readonly string[]
}

/** Everything that a run has. */
interface Scene {
  readonly server: ServerProcess
  readonly contract: Contract
  readonly world: World
  readonly dataDir: string
}

async function setScene(): Promise<Scene> {
  const dataDir = temporaryDirectory('hostile')
  const keys = createKeys(dataDir)
  const server = await startServer({ dataDir, settings: { AUTH: 'on' }, env: startEnvironment() })
  const http = new HttpClient(server.port, 1)
  const contract = new Contract((await http.get('/v1/openapi.json')).json as unknown as OpenApi)
  http.close()
  return { server, contract, world: await createWorld(server.port, keys), dataDir }
}

export async function attack(options: AttackOptions): Promise<AttackResult> {
  const scene = await setScene()
  const { server, dataDir } = scene
  try {
    const result = await new Attack(scene, options).run()
    if (server.isRunning && result.faults.length === 0) await server.stop()
    return { ...result, faults: [...result.faults, ...faultsOfLog(server.log)] }
  } finally {
    if (server.isRunning) await server.kill()
    removeDirectory(dataDir)
  }
}

/** Sends one saved input to a server of its own. */
export async function attackWithCase(file: string): Promise<readonly string[]> {
  const scene = await setScene()
  const { server, contract, world, dataDir } = scene
  const sender = new Sender(server.port, contract, world, () => {})
  try {
    const faults = await sender.send(loadCase(file, namesOf(world)))
    // Whether it lived through it shows when it is asked to stop.
    await server.stop()
    return [...faults, ...faultsOfLog(server.log)]
  } catch (error) {
    return [(error as Error).message]
  } finally {
    sender.close()
    if (server.isRunning) await server.kill()
    removeDirectory(dataDir)
  }
}

/** Makes the input of a number. */
export class InputSource {
  private readonly seed: number
  private readonly http: HttpInputs
  private readonly raw: RawInputs
  private readonly webSocket: WebSocketInputs

  constructor(seed: number, contract: Contract, world: World) {
    this.seed = seed
    this.http = new HttpInputs(contract, world)
    this.raw = new RawInputs(world)
    this.webSocket = new WebSocketInputs(world)
  }

  at(index: number): Input {
    const random = new SeededRandom(Math.imul(this.seed + 1, 0x9e37_79b1) ^ Math.imul(index + 1, 0x85eb_ca6b))
    const kind = random.below(20)
    if (kind < 12) return this.http.draw(random)
    return kind < 15 ? this.raw.draw(random) : this.webSocket.draw(random)
  }

  slow(): Input[] {
    return this.raw.slow()
  }
}

class Attack {
  private readonly scene: Scene
  private readonly options: AttackOptions
  private readonly source: InputSource
  private readonly tally = new Map<string, number>()
  private readonly faults: string[] = []
  private readonly inHand = new Map<number, Input>()
  private sent = 0
  private casesDir = ''

  constructor(scene: Scene, options: AttackOptions) {
    this.scene = scene
    this.options = options
    this.source = new InputSource(options.seed, scene.contract, scene.world)
  }

  async run(): Promise<AttackResult> {
    const { server, world } = this.scene
    const { rounds, quietMs, inputs, report } = this.options
    const beginMs = performance.now()
    const bystander = new Bystander(server.port, world.keys.checkout)
    const authorization = `Bearer ${world.keys.operations}`
    const sampler = new FootprintSampler(server.pid, server.baseUrl, SAMPLE_MS, authorization)
    const slow = this.sendSlow()
    for (let round = 0; round < rounds && this.isSound(); round++) {
      bystander.tell('quiet')
      await new Promise((resolve) => setTimeout(resolve, quietMs))
      bystander.tell('attack')
      await this.round(Math.round((inputs * (round + 1)) / rounds), round < this.options.deafRounds)
      report(`${this.sent} inputs, ${Math.round((performance.now() - beginMs) / 1_000)} s`)
    }
    await slow
    const sold = await bystander.end()
    await sampler.stop()
    if (!server.isRunning) await this.blameInHand()
    else this.faults.push(...(await this.faultsOfSale(sold)))
    this.faults.push(...sold.faults)
    const seconds = (performance.now() - beginMs) / 1_000
    const { attackMs, redeemed } = sold
    const { tally, faults } = this
    return {
      inputs: this.sent,
      seconds,
      tally,
      quietMs: sold.quietMs,
      attackMs,
      redeemed,
      footprints: sampler.samples,
      faults,
    }
  }

  private isSound(): boolean {
    return this.faults.length < FAULTS_MAX && this.scene.server.isRunning
  }

  /** Inputs up to a number, by all senders at once. */
  private async round(upTo: number, withDeaf: boolean): Promise<void> {
    const { server, contract, world } = this.scene
    const { rate } = this.options
    const from = this.sent
    const beginMs = performance.now()
    const work = async (): Promise<void> => {
      const sender = new Sender(server.port, contract, world, (what) => this.count(what))
      while (this.sent < upTo && this.isSound()) {
        const index = this.sent++
        const dueMs = rate === null ? 0 : beginMs + ((index - from) * 1_000) / rate - performance.now()
        if (dueMs > 1) await new Promise((resolve) => setTimeout(resolve, dueMs))
        await this.sendOne(sender, index, this.source.at(index))
      }
      sender.close()
    }
    const deaf = withDeaf ? this.deaf() : Promise.resolve()
    await Promise.all([deaf, ...Array.from({ length: SENDERS }, work)])
  }

  private async sendOne(sender: Sender, index: number, input: Input): Promise<void> {
    this.inHand.set(index, input)
    let faults: readonly string[]
    try {
      faults = await sender.send(input)
    } catch (error) {
      faults = [String(error)]
    }
    if (!this.scene.server.isRunning) return
    this.inHand.delete(index)
    if (faults.length > 0) this.blame(index, input, faults)
  }

  private async deaf(): Promise<void> {
    const { server, world } = this.scene
    const { port } = server
    this.faults.push(...(await deafHttp(port)), ...(await crowd(port)))
    this.faults.push(...(await deafWebSocket(port, world.keys.checkout, world.codes[0] as string)))
  }

  /** Each for as long as the server lets it, beside everything else. */
  private async sendSlow(): Promise<void> {
    const { server, contract, world } = this.scene
    await Promise.all(
      this.source.slow().map(async (input, i) => {
        const sender = new Sender(server.port, contract, world, (what) => this.count(what))
        await this.sendOne(sender, -1 - i, input)
        sender.close()
      }),
    )
  }

  private blame(index: number, input: Input, faults: readonly string[]): void {
    if (this.casesDir === '') {
      this.casesDir = temporaryDirectory('hostile-cases')
      keepDirectory(this.casesDir)
    }
    const file = join(this.casesDir, `${this.options.seed}-${index}.json`)
    const origin: Origin = { seed: this.options.seed, index, names: namesOf(this.scene.world) }
    saveCase(file, input, origin, faults)
    this.faults.push(
      `seed ${this.options.seed}, input ${index} (${input.what}): ${faults.join('; ').slice(0, 500)}; --case ${file}`,
    )
  }

  /** The process is gone: one of the inputs that were not answered did it. */
  private async blameInHand(): Promise<void> {
    const { code, signal } = await this.scene.server.ended
    this.faults.push(`the server ended (${signal ?? code}): ${this.scene.server.lastWords.slice(-2_000)}`)
    for (const [index, input] of this.inHand) this.blame(index, input, ['in hand when the server ended'])
  }

  /** The bystander's coupon has been used exactly as often as it was told. */
  private async faultsOfSale({ redeemed }: BystanderReport): Promise<string[]> {
    const { server, world } = this.scene
    const http = new HttpClient(server.port, 1)
    const { json } = await http.get(`/v1/coupons/${BYSTANDER_CODE}`, {
      authorization: `Bearer ${world.keys.operations}`,
    })
    http.close()
    return json['uses'] === redeemed
      ? []
      : [`${redeemed} orders were redeemed, the coupon says ${String(json['uses'])}`]
  }

  private count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1)
  }
}

class Bystander {
  private readonly child: ReturnType<typeof fork>
  private readonly report: Promise<BystanderReport>

  constructor(port: number, key: string) {
    this.child = fork(BYSTANDER_ENTRY, [String(port), key])
    this.report = once(this.child, 'message').then(([message]) => message as BystanderReport)
  }

  tell(phase: BystanderOrder['phase']): void {
    const order: BystanderOrder = { phase }
    this.child.send(order)
  }

  async end(): Promise<BystanderReport> {
    this.tell('end')
    return await this.report
  }
}
