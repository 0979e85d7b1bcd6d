// The proof by crashes for jobs that make codes: jobs begin, the process is killed in their middle, starts again, and goes on.
//
//     start ──▶ retry what is in doubt ──▶ no job has gone back ──▶ begin jobs, generate, cancel ──▶ SIGKILL ──▶ start …
//     at the end: all jobs end ──▶ every campaign's export: as many codes as its jobs made, none twice, in the whole deployment
//
// Every job begins under an Idempotency-Key, so that one whose answer was lost is asked for again and has to be one job. The
// number of workers changes at any start. One seed makes all the choices but not the timing of the machine.

import { setTimeout as wait } from 'node:timers/promises'
import { auditLog } from '../../cli/audit/audit-log.ts'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { ServerProcess } from '../support/server-process.ts'
import { onKeptEvidence } from './keep-evidence.ts'
import { Violation } from './ledger.ts'

const CAMPAIGNS = 3
const JOBS_A_ROUND = 2
const GENERATED = 50
/** Most kills come while codes are made; some right behind an answer, where a server that replies too early loses it. */
const WORK_MS_MAX = 250
const ONE_IN = 4
const END_LIMIT_MS = 60_000
const LOOK_EVERY_MS = 20
const SAMPLE = 20

export interface JobsProofOptions {
  readonly kills: number
  readonly seed: number
  /** Codes of the largest job. */
  readonly codesMax: number
  readonly report: (line: string) => void
  /** TEAROFF_ settings of the server, without their prefix. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface JobsProofCounts {
  kills: number
  jobs: number
  /** Jobs that had begun and not ended when the process was killed. */
  cutOff: number
  cancelled: number
  doubts: number
  codes: number
  audits: number
}

interface KnownJob {
  readonly jobId: string
  readonly count: number
  /** Codes made that somebody was told of. */
  seen: number
  isCancelled: boolean
}

/** A call that begins a job, told or in doubt. */
interface Begin {
  readonly campaignId: string
  readonly body: Readonly<Record<string, unknown>>
  readonly key: string
}

/** Throws a Violation; the directory is kept then, and named in the message. */
export async function proveJobsByCrashes(options: JobsProofOptions): Promise<JobsProofCounts> {
  return await onKeptEvidence('crash-jobs', options.seed, (dataDir) => new JobsProof(dataDir, options))
}

class JobsProof {
  round = 0
  readonly counts: JobsProofCounts = { kills: 0, jobs: 0, cutOff: 0, cancelled: 0, doubts: 0, codes: 0, audits: 0 }
  private readonly dataDir: string
  private readonly options: JobsProofOptions
  private readonly random: SeededRandom
  private readonly campaigns: string[] = []
  /** By id. */
  private readonly jobs = new Map<string, KnownJob>()
  private readonly ofCampaign = new Map<string, KnownJob[]>()
  /** Codes that were answered by `generate`. */
  private readonly generated: string[] = []
  private doubts: Begin[] = []

  constructor(dataDir: string, options: JobsProofOptions) {
    this.dataDir = dataDir
    this.options = options
    this.random = new SeededRandom(options.seed)
  }

  async run(): Promise<void> {
    while (this.counts.kills < this.options.kills) {
      this.round++
      await this.serving(async (http, server) => {
        await this.settleDoubts(http)
        await this.look(http)
        await this.newCampaigns(http)
        const work = this.work(http)
        await Promise.race([wait(this.random.below(ONE_IN) === 0 ? 0 : this.random.below(WORK_MS_MAX)), work.failed])
        if (!server.isRunning) throw new Violation(`the server ended by itself\n${server.lastWords}`)
        await server.kill()
        this.counts.kills++
        await work.done
        for (const { seen, count, isCancelled } of this.jobs.values()) {
          if (seen > 0 && seen < count && !isCancelled) this.counts.cutOff++
        }
      })
      this.options.report(
        `${this.counts.kills} of ${this.options.kills} kills, ${this.jobs.size} jobs, ${this.counts.cutOff} times cut off, ` +
          `${this.counts.doubts} in doubt and settled`,
      )
    }
    const before = await this.wholeRound()
    const after = await this.wholeRound()
    for (const [campaignId, codes] of before) {
      if (codes !== after.get(campaignId)) throw new Violation(`the codes of ${campaignId} changed with a start`)
    }
    this.counts.jobs = this.jobs.size
  }

  /** Everything ends, is exported and counted, and audited from the log. Texts of the exports by campaign. */
  private async wholeRound(): Promise<ReadonlyMap<string, string>> {
    this.round++
    const exports = new Map<string, string>()
    await this.serving(async (http, server) => {
      await this.settleDoubts(http)
      await this.untilAllEnded(http)
      const everything = new Set<string>()
      this.counts.codes = 0
      for (const campaignId of this.campaigns) {
        const { status, text } = await http.get(`/v1/campaigns/${campaignId}/codes.csv`)
        if (status !== 200) throw new Violation(`the export of ${campaignId} answered ${status}`)
        exports.set(campaignId, text)
        await this.count(http, campaignId, text, everything)
      }
      for (const code of this.generated) {
        if (everything.has(code)) throw new Violation(`${code} was generated and belongs to a campaign too`)
        everything.add(code)
        const { status } = await http.get(`/v1/coupons/${code}`)
        if (status !== 200) throw new Violation(`${code} was generated, acknowledged, and is gone (${status})`)
      }
      await server.stop()
    })
    const { faults } = auditLog(this.dataDir)
    if (faults.length > 0) throw new Violation(`the audit of the log found: ${faults.slice(0, 5).join('; ')}`)
    this.counts.audits++
    return exports
  }

  private async count(http: HttpClient, campaignId: string, text: string, everything: Set<string>): Promise<void> {
    const codes = text
      .split('\r\n')
      .slice(1, -1)
      .map((row) => row.slice(0, row.indexOf(',')))
    const made = (this.ofCampaign.get(campaignId) ?? []).reduce((sum, { seen }) => sum + seen, 0)
    if (codes.length !== made) throw new Violation(`${campaignId} has ${codes.length} codes, its jobs made ${made}`)
    for (const code of codes) {
      if (everything.has(code)) throw new Violation(`the code ${code} exists twice`)
      everything.add(code)
    }
    this.counts.codes += codes.length
    const { json } = await http.get(`/v1/campaigns/${campaignId}`)
    if (json['codes'] !== made) throw new Violation(`${campaignId} counts ${String(json['codes'])} codes, not ${made}`)
    for (let i = 0; i < SAMPLE && codes.length > 0; i++) {
      const code = codes[this.random.below(codes.length)] as string
      const shown = await http.get(`/v1/coupons/${code}`)
      if (shown.status !== 200 || shown.json['campaignId'] !== campaignId) {
        throw new Violation(`${code} of ${campaignId} is not found by its code (${shown.status})`)
      }
    }
  }

  private async serving(run: (http: HttpClient, server: ServerProcess) => Promise<void>): Promise<void> {
    const server = new ServerProcess({
      dataDir: this.dataDir,
      settings: { WORKERS: String(1 + this.random.below(3)), ...this.options.settings },
    })
    const port = await server.listening
    await server.ready
    const http = new HttpClient(port, 16)
    try {
      await run(http, server)
    } finally {
      http.close()
      if (server.isRunning) await server.kill()
    }
  }

  private async newCampaigns(http: HttpClient): Promise<void> {
    while (this.campaigns.length < CAMPAIGNS) {
      const reply = await http.post('/v1/campaigns', {
        name: `campaign ${this.campaigns.length}`,
        offer: { type: 'PERCENT', value: 10 },
      })
      if (reply.status !== 201) throw new Violation(`a campaign was not created: ${reply.text}`)
      const campaignId = String(reply.json['campaignId'])
      this.campaigns.push(campaignId)
      this.ofCampaign.set(campaignId, [])
    }
  }

  /** Begins jobs and watches them until the server is gone. `failed` only ever rejects. */
  private work(http: HttpClient): { readonly done: Promise<void>; readonly failed: Promise<never> } {
    const lanes = [
      ...Array.from({ length: JOBS_A_ROUND }, async (_, i) => {
        const begin = this.newBegin(i)
        await this.begin(http, begin)
        await this.watch(http)
      }),
      this.generate(http),
    ]
    const done = Promise.all(lanes).then(() => {})
    const failed = done.then(
      () => new Promise<never>(() => {}),
      (cause: unknown) => Promise.reject(cause as Error),
    )
    return { done, failed }
  }

  private newBegin(index: number): Begin {
    const { random, options } = this
    const count = 1 + random.below(options.codesMax)
    const forms = [{}, { prefix: `R${this.round}-`, length: 14 }, { distribution: 'EXPORTED', length: 16 }] as const
    const isForUsers = random.below(6) === 0
    return {
      campaignId: this.campaigns[random.below(this.campaigns.length)] as string,
      key: `job-${this.round}-${index}`,
      body: isForUsers
        ? { userIds: Array.from({ length: 1 + (count % 5_000) }, (_, user) => `u${this.round}-${user}`) }
        : { count, ...forms[random.below(forms.length)] },
    }
  }

  private async begin(http: HttpClient, begin: Begin): Promise<void> {
    const { campaignId, body, key } = begin
    const reply = await toldOrNull(http.post(`/v1/campaigns/${campaignId}/codes`, body, { 'idempotency-key': key }))
    if (reply === null) {
      this.doubts.push(begin)
      return
    }
    if (reply.status !== 202) throw new Violation(`a job was not begun: ${reply.text}`)
    const jobId = String(reply.json['jobId'])
    if (this.jobs.has(jobId)) throw new Violation(`${jobId} was begun twice`)
    const { userIds, count } = body as { readonly userIds?: readonly string[]; readonly count?: number }
    const job: KnownJob = { jobId, count: userIds?.length ?? (count as number), seen: 0, isCancelled: false }
    this.jobs.set(jobId, job)
    this.ofCampaign.get(campaignId)?.push(job)
  }

  private async watch(http: HttpClient): Promise<void> {
    for (;;) {
      const open = [...this.jobs.values()].filter(({ seen, count, isCancelled }) => seen < count && !isCancelled)
      const job = open[this.random.below(Math.max(1, open.length))]
      if (job === undefined) return
      const before = { ...job }
      const reply = await toldOrNull(
        this.random.below(60) === 0
          ? http.post(`/v1/jobs/${job.jobId}/cancel`, undefined)
          : http.get(`/v1/jobs/${job.jobId}`),
      )
      if (reply === null) return
      this.judge(job, before, reply)
    }
  }

  /** Nothing that was told when the question went out goes back, and a job that has ended stays as it ended. */
  private judge(job: KnownJob, before: KnownJob, { status, json, text }: HttpReply): void {
    const { jobId, count, seen, isCancelled } = before
    if (status !== 200) throw new Violation(`${jobId} was begun, acknowledged, and is gone: ${text}`)
    const processed = Number(json['processed'])
    if (json['total'] !== count) throw new Violation(`${jobId} is to make ${count} codes, and says ${text}`)
    if (processed < seen) throw new Violation(`${jobId} had made ${seen} codes, and now ${processed}`)
    if (isCancelled && (processed !== seen || json['state'] !== 'CANCELLED')) {
      throw new Violation(`${jobId} was cancelled at ${seen} codes, and says ${text}`)
    }
    if (json['state'] === 'SUCCEEDED' && processed !== count) throw new Violation(`${jobId} ended early: ${text}`)
    if (json['state'] === 'FAILED') throw new Violation(`${jobId} failed: ${text}`)
    job.seen = Math.max(job.seen, processed)
    if (json['state'] === 'CANCELLED' && !job.isCancelled) {
      job.isCancelled = true
      this.counts.cancelled++
    }
  }

  private async generate(http: HttpClient): Promise<void> {
    for (let i = 0; ; i++) {
      const body = { count: GENERATED, type: 'PERCENT', value: 5, description: `round ${this.round}` }
      const reply = await toldOrNull(http.post('/v1/coupons/generate', body))
      if (reply === null) return
      // Longer jobs stand before it.
      if (reply.status === 202) return
      if (reply.status !== 201) throw new Violation(`coupons were not generated: ${reply.text}`)
      const data = reply.json['data'] as readonly { readonly code: string }[]
      if (data.length !== GENERATED) throw new Violation(`${data.length} of ${GENERATED} coupons were generated`)
      this.generated.push(...data.map(({ code }) => code))
      if (i >= 2) return
    }
  }

  /** With its key, the same job comes of it, whether it had begun or not. */
  private async settleDoubts(http: HttpClient): Promise<void> {
    const { doubts } = this
    this.doubts = []
    for (const doubt of doubts) await this.begin(http, doubt)
    if (this.doubts.length > 0) throw new Violation('a call in doubt was not settled by a quiet server')
    this.counts.doubts += doubts.length
  }

  private async look(http: HttpClient): Promise<void> {
    for (const job of this.jobs.values()) this.judge(job, { ...job }, await http.get(`/v1/jobs/${job.jobId}`))
  }

  private async untilAllEnded(http: HttpClient): Promise<void> {
    const deadlineMs = performance.now() + END_LIMIT_MS
    for (const job of this.jobs.values()) {
      for (;;) {
        const reply = await http.get(`/v1/jobs/${job.jobId}`)
        this.judge(job, { ...job }, reply)
        if (job.isCancelled || reply.json['state'] === 'SUCCEEDED') break
        if (performance.now() > deadlineMs) throw new Violation(`${job.jobId} does not end: ${reply.text}`)
        await wait(LOOK_EVERY_MS)
      }
    }
  }
}

/** null: nobody was told what came of it. */
async function toldOrNull(call: Promise<HttpReply>): Promise<HttpReply | null> {
  try {
    const reply = await call
    return reply.status >= 500 ? null : reply
  } catch {
    return null
  }
}
