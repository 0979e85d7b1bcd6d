// Jobs under crashes: they begin, the process is killed in their middle, starts again, and they go on. No job goes back, and at the
// end every campaign has as many codes as its jobs made, none twice in the whole deployment, and every row of an import is there once.
//
// Every job begins under an Idempotency-Key, so that one whose answer was lost is asked for again and has to be one job.

import { setTimeout as wait } from 'node:timers/promises'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { ServerProcess } from '../support/server-process.ts'
import type { CrashLoad, Work } from './crash-load.ts'
import type { Way } from './deaths.ts'
import { ImportFile } from './import-file.ts'
import type { Facts, LogEnd } from './judge.ts'
import { Violation } from './ledger.ts'

const CAMPAIGNS = 3
const JOBS_A_ROUND = 2
const GENERATED = 50
const ROWS_MAX = 6_000
const CONNECTIONS = 16
const END_LIMIT_MS = 60_000
const LOOK_EVERY_MS = 20
const SAMPLE = 20
const FOR_USERS_EVERY = 6
const CANCELLED_EVERY = 60

const WAYS: readonly Way[] = [
  { point: 'job.codes-made', when: 'now', timesMax: 5 },
  { point: 'job.rows-put', when: 'now', timesMax: 4 },
  { point: 'job.codes-made', when: 'flushed', timesMax: 5 },
  { point: 'job.rows-reported', when: 'now', timesMax: 2 },
]

interface KnownJob {
  readonly jobId: string
  readonly count: number
  /** Of the codes that it makes; null: it reads a file. */
  readonly campaignId: string | null
  readonly file: ImportFile | null
  /** Codes or rows that somebody was told of. */
  seen: number
  end: 'SUCCEEDED' | 'CANCELLED' | null
}

/** A call that begins a job, told or in doubt. */
interface Begin {
  readonly key: string
  readonly what: ImportFile | { readonly campaignId: string; readonly body: Readonly<Record<string, unknown>> }
}

export class JobsCrash implements CrashLoad {
  readonly name = 'jobs'
  readonly workers = [1, 2, 3]
  readonly loadMsMax = 250
  readonly ways = WAYS
  private readonly random: SeededRandom
  private readonly codesMax: number
  private readonly campaigns: string[] = []
  /** By id. */
  private readonly jobs = new Map<string, KnownJob>()
  /** Codes that were answered by `generate`. */
  private readonly generated: string[] = []
  /** Texts of the exports by campaign, when everything had ended. */
  private exported: ReadonlyMap<string, string> | null = null
  private http: HttpClient | null = null
  private readonly doubts: Begin[] = []
  private isStopped = false
  private cutOff = 0
  private doubted = 0
  private codes = 0

  /** `codesMax`: of the largest job. */
  constructor(random: SeededRandom, codesMax: number) {
    this.random = random
    this.codesMax = codesMax
  }

  get isJobUnderWay(): boolean {
    return this.openJobs().length > 0
  }

  async connect({ port }: ServerProcess): Promise<void> {
    this.http = new HttpClient(port, CONNECTIONS)
  }

  disconnect(): void {
    this.http?.close()
    this.http = null
  }

  /** With its key, the same job comes of it, whether it had begun or not. */
  async settle(): Promise<void> {
    const { doubts } = this
    for (let doubt = doubts.shift(); doubt !== undefined; doubt = doubts.shift()) {
      const left = doubts.length
      await this.beginJob(this.http as HttpClient, doubt)
      if (doubts.length > left) throw new Violation('a call in doubt was not settled by a quiet server')
      this.doubted++
    }
  }

  /** No job has gone back. The whole: everything has ended, and stays as it ended. */
  async check(isWhole: boolean): Promise<void> {
    const http = this.http as HttpClient
    for (const job of this.jobs.values()) this.judge(job, { ...job }, await http.get(`/v1/jobs/${job.jobId}`))
    if (!isWhole) return
    await this.untilAllEnded(http)
    const before = this.exported
    this.exported = await this.exportAll(http)
    for (const [campaignId, text] of before ?? []) {
      if (text !== this.exported.get(campaignId)) throw new Violation(`the codes of ${campaignId} changed with a start`)
    }
    for (const { file } of this.jobs.values()) await file?.check(http, this.random, SAMPLE)
  }

  async prepare(): Promise<void> {
    const http = this.http as HttpClient
    while (this.campaigns.length < CAMPAIGNS) {
      const body = { name: `campaign ${this.campaigns.length}`, offer: { type: 'PERCENT', value: 10 } }
      const reply = await http.post('/v1/campaigns', body)
      if (reply.status !== 201) throw new Violation(`a campaign was not created: ${reply.text}`)
      this.campaigns.push(String(reply.json['campaignId']))
    }
  }

  /** Begins jobs and watches them until the server is gone. */
  begin(round: number): Work {
    const { http, random } = this
    if (http === null || this.campaigns.length === 0) return { done: Promise.resolve(), stop: () => {} }
    this.isStopped = false
    const lanes = [
      ...Array.from({ length: JOBS_A_ROUND }, async (_, i) => {
        await this.beginJob(http, this.newCodes(round, i))
        await this.watch(http)
      }),
      this.beginJob(http, {
        key: `import-${round}`,
        what: new ImportFile(`IMP-${round}`, 1 + random.below(ROWS_MAX)),
      }),
      this.generate(http, round),
    ]
    const done = Promise.all(lanes).then(() => {
      this.cutOff += this.openJobs().filter(({ seen }) => seen > 0).length
    })
    return {
      done,
      stop: () => {
        this.isStopped = true
      },
    }
  }

  /** Codes made in bulk have no account of their own in an audit before something happens to them, rows of files have. */
  facts(end: LogEnd): Facts {
    const jobs = [...this.jobs.values()]
    return {
      end,
      redemptions: [],
      coupons: jobs.flatMap((job) => (job.file !== null && job.end === 'SUCCEEDED' ? job.file.facts() : [])),
      jobs: jobs.flatMap(({ jobId, campaignId, seen }) => (campaignId === null ? [] : [{ jobId, made: seen }])),
    }
  }

  counts(): Readonly<Record<string, number>> {
    const jobs = [...this.jobs.values()]
    return {
      jobs: jobs.length,
      imports: jobs.filter(({ file }) => file !== null).length,
      'times cut off': this.cutOff,
      cancelled: jobs.filter(({ end }) => end === 'CANCELLED').length,
      doubts: this.doubted,
      codes: this.codes,
    }
  }

  private openJobs(): KnownJob[] {
    return [...this.jobs.values()].filter(({ end }) => end === null)
  }

  private async exportAll(http: HttpClient): Promise<ReadonlyMap<string, string>> {
    const exports = new Map<string, string>()
    const everything = new Set<string>()
    this.codes = 0
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
    return exports
  }

  private async count(http: HttpClient, campaignId: string, text: string, everything: Set<string>): Promise<void> {
    const codes = text
      .split('\r\n')
      .slice(1, -1)
      .map((row) => row.slice(0, row.indexOf(',')))
    const ofCampaign = [...this.jobs.values()].filter((job) => job.campaignId === campaignId)
    const made = ofCampaign.reduce((sum, { seen }) => sum + seen, 0)
    if (codes.length !== made) throw new Violation(`${campaignId} has ${codes.length} codes, its jobs made ${made}`)
    for (const code of codes) {
      if (everything.has(code)) throw new Violation(`the code ${code} exists twice`)
      everything.add(code)
    }
    this.codes += codes.length
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

  private newCodes(round: number, index: number): Begin {
    const { random, codesMax } = this
    const count = 1 + random.below(codesMax)
    const forms = [{}, { prefix: `R${round}-`, length: 14 }, { distribution: 'EXPORTED', length: 16 }] as const
    const isForUsers = random.below(FOR_USERS_EVERY) === 0
    const body = isForUsers
      ? { userIds: Array.from({ length: 1 + (count % 5_000) }, (_, user) => `u${round}-${user}`) }
      : { count, ...forms[random.below(forms.length)] }
    return { key: `job-${round}-${index}`, what: { campaignId: random.pick(this.campaigns), body } }
  }

  private async beginJob(http: HttpClient, begin: Begin): Promise<void> {
    const { what, key } = begin
    const headers = { 'idempotency-key': key }
    const reply = await toldOrNull(
      what instanceof ImportFile
        ? what.send(http, headers)
        : http.post(`/v1/campaigns/${what.campaignId}/codes`, what.body, headers),
    )
    if (reply === null) {
      this.doubts.push(begin)
      return
    }
    if (reply.status !== 202) throw new Violation(`a job was not begun: ${reply.text}`)
    const jobId = String(reply.json['jobId'])
    if (this.jobs.has(jobId)) throw new Violation(`${jobId} was begun twice`)
    if (what instanceof ImportFile) {
      this.jobs.set(jobId, { jobId, count: what.rows, campaignId: null, file: what, seen: 0, end: null })
      return
    }
    const { userIds, count } = what.body as { readonly userIds?: readonly string[]; readonly count?: number }
    const total = userIds?.length ?? (count as number)
    this.jobs.set(jobId, { jobId, count: total, campaignId: what.campaignId, file: null, seen: 0, end: null })
  }

  private async watch(http: HttpClient): Promise<void> {
    while (!this.isStopped) {
      const open = this.openJobs()
      const job = open[this.random.below(Math.max(1, open.length))]
      if (job === undefined) return
      const before = { ...job }
      const isCancelled = job.campaignId !== null && this.random.below(CANCELLED_EVERY) === 0
      const reply = await toldOrNull(
        isCancelled ? http.post(`/v1/jobs/${job.jobId}/cancel`, undefined) : http.get(`/v1/jobs/${job.jobId}`),
      )
      if (reply === null) return
      this.judge(job, before, reply)
    }
  }

  /** Nothing that was told when the question went out goes back, and a job that has ended stays as it ended. */
  private judge(job: KnownJob, before: KnownJob, { status, json, text }: HttpReply): void {
    const { jobId, count, seen, end, campaignId } = before
    if (status !== 200) throw new Violation(`${jobId} was begun, acknowledged, and is gone: ${text}`)
    const processed = Number(json['processed'])
    const state = String(json['state'])
    // How many rows a file has is known when it was read.
    if (json['total'] !== count && (campaignId !== null || state === 'SUCCEEDED')) {
      throw new Violation(`${jobId} is to make ${count}, and says ${text}`)
    }
    if (processed < seen) throw new Violation(`${jobId} had made ${seen}, and now ${processed}`)
    if (end !== null && (processed !== seen || state !== end)) {
      throw new Violation(`${jobId} was ${end} at ${seen}, and says ${text}`)
    }
    if (state === 'SUCCEEDED' && processed !== count) throw new Violation(`${jobId} ended early: ${text}`)
    if (state === 'FAILED' || json['failed'] !== 0) throw new Violation(`${jobId} failed: ${text}`)
    job.seen = Math.max(job.seen, processed)
    if (state === 'SUCCEEDED' || state === 'CANCELLED') job.end = state
  }

  private async generate(http: HttpClient, round: number): Promise<void> {
    for (let i = 0; i < 3; i++) {
      const body = { count: GENERATED, type: 'PERCENT', value: 5, description: `round ${round}` }
      const reply = await toldOrNull(http.post('/v1/coupons/generate', body))
      if (reply === null) return
      // Longer jobs stand before it.
      if (reply.status === 202) return
      if (reply.status !== 201) throw new Violation(`coupons were not generated: ${reply.text}`)
      const data = reply.json['data'] as readonly { readonly code: string }[]
      if (data.length !== GENERATED) throw new Violation(`${data.length} of ${GENERATED} coupons were generated`)
      this.generated.push(...data.map(({ code }) => code))
    }
  }

  private async untilAllEnded(http: HttpClient): Promise<void> {
    const deadlineMs = performance.now() + END_LIMIT_MS
    for (const job of this.jobs.values()) {
      for (;;) {
        const reply = await http.get(`/v1/jobs/${job.jobId}`)
        this.judge(job, { ...job }, reply)
        if (job.end !== null) break
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
