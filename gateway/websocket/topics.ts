/**
 * Topics: who watches which coupon or campaign, and what it is told. One watch for each, however many sessions listen: it is
 * read at a fixed cadence while anybody does, and a state that differs from the last one is pushed.
 *
 *     tick ──▶ read ──▶ shard ──▶ state ──┬─ same as before: nothing
 *                                         └─ changed: every listener, or at the next read if its last push was just now
 *
 * Polling instead of a feed of events: counters of a coupon in a sale change thousands of times a second, of which ten are
 * wanted, and the status changes by time alone too. Must never happen here: a push to a listener after it left.
 */
import { quoted } from '../json/json-text.ts'
import { campaignNotFound, couponOfPathNotFound, invalid, type Problem, problem } from '../problem.ts'
import { remainingUses } from '../coupons/render-coupon.ts'
import { isRefused, refusalOfPath, unsettledProblem } from '../operations/shard-call.ts'
import { campaignTarget, type CouponTarget, couponTarget } from '../operations/target.ts'
import { TOPIC_LENGTH_MAX, TOPIC_POLL_MS, TOPIC_PUSH_GAP_MS, TOPICS_MAX } from './websocket-limits.ts'
import type { Router } from '../../engine/routing.ts'
import { type ReplyHandler, SETTLED, type Settled, type ShardTransport } from '../../engine/transport/port.ts'
import type { ByteReader, ByteWriter } from '../../protocol/bytes.ts'
import { writeCommand } from '../../protocol/command-codec.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import type { CampaignRef } from '../../protocol/coupon.ts'
import { readOutcome, readPosition } from '../../protocol/outcome-codec.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'

/** One subscription of one session. */
export interface TopicListener {
  /** It exists; called once, before the first push. */
  watching(): void
  /** There will be no pushes; called at most once, instead of `watching`. */
  refused(found: Problem): void
  /** JSON text of `{topic, uses, reserved, remaining, status}`. */
  push(text: string): void
}

export interface TopicPorts {
  readonly transport: ShardTransport
  readonly router: Router
  /** Scratch for one command at a time. */
  readonly writer: ByteWriter
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number
  /** Calls `tick` every so often until the returned function is called. */
  readonly every: (intervalMs: number, tick: () => void) => () => void
  readonly failed: (error: unknown) => void
}

export class Topics {
  private readonly ports: TopicPorts
  private readonly watches = new Map<string, Watch>()
  private stopTicks: (() => void) | null = null

  constructor(ports: TopicPorts) {
    this.ports = ports
  }

  /** Coupons and campaigns watched now. */
  get size(): number {
    return this.watches.size
  }

  /** Begins to tell the listener, or says why not. It may be told before this returns. */
  subscribe(topic: string, listener: TopicListener): Problem | null {
    const target = topicTarget(this.ports.router, topic)
    if ('code' in target) return target
    const { key } = target
    let watch = this.watches.get(key)
    if (watch === undefined) {
      if (this.watches.size >= TOPICS_MAX) return problem('OVERLOADED', 'too many different topics are watched')
      watch = new Watch(this.ports, target, () => this.drop(key))
      this.watches.set(key, watch)
    }
    this.stopTicks ??= this.ports.every(TOPIC_POLL_MS, () => this.tick())
    watch.add(topic, listener)
    return null
  }

  unsubscribe(topic: string, listener: TopicListener): void {
    const target = topicTarget(this.ports.router, topic)
    if ('code' in target) return
    this.watches.get(target.key)?.remove(listener)
  }

  private tick(): void {
    for (const watch of this.watches.values()) watch.ask()
  }

  private drop(key: string): void {
    this.watches.delete(key)
    if (this.watches.size > 0) return
    this.stopTicks?.()
    this.stopTicks = null
  }
}

/** What is watched. */
interface TopicTarget {
  /** One a thing, however topics name it. */
  readonly key: string
  readonly shard: number
  readonly question: Command<string>
}

function topicTarget(router: Router, topic: string): TopicTarget | Problem {
  if (topic.length > TOPIC_LENGTH_MAX) return invalid('/topic', `a topic has at most ${TOPIC_LENGTH_MAX} characters`)
  if (topic.startsWith('coupon:')) {
    const target = couponTarget(router, topic.slice('coupon:'.length))
    return target === null ? couponOfPathNotFound() : couponWatched(target)
  }
  if (topic.startsWith('campaign:')) {
    const target = campaignTarget(router, topic.slice('campaign:'.length))
    return target === null ? campaignNotFound() : campaignWatched(target)
  }
  return invalid('/topic', 'a topic is coupon:{coupon} or campaign:{id}')
}

function couponWatched({ shard, ref }: CouponTarget): TopicTarget {
  return { key: `${shard}:${ref.code ?? ref.ordinal}`, shard, question: { type: COMMAND.GET_COUPON, coupon: ref } }
}

function campaignWatched({ shard, index }: CampaignRef): TopicTarget {
  // No code has a space.
  return { key: `${shard}: ${index}`, shard, question: { type: COMMAND.GET_CAMPAIGN, index } }
}

interface Listening {
  /** `{"topic":…,` as the session named it. */
  readonly head: string
  told: boolean
  /** The change it was told last; 0: none. */
  change: number
  pushedAtMs: number
}

/** One coupon or campaign, watched for as long as there are listeners. */
class Watch implements ReplyHandler {
  private readonly ports: TopicPorts
  private readonly target: TopicTarget
  private readonly abandoned: () => void
  private readonly listeners = new Map<TopicListener, Listening>()
  /** The last state as text; '' before the first. */
  private state = ''
  private change = 0
  private asking = false
  private gone = false

  constructor(ports: TopicPorts, target: TopicTarget, abandoned: () => void) {
    this.ports = ports
    this.target = target
    this.abandoned = abandoned
  }

  add(topic: string, listener: TopicListener): void {
    const listening = {
      head: `{"topic":${quoted(topic)},`,
      told: false,
      change: 0,
      pushedAtMs: Number.NEGATIVE_INFINITY,
    }
    this.listeners.set(listener, listening)
    if (this.state === '') this.ask()
    else this.tell(listener, listening)
  }

  remove(listener: TopicListener): void {
    this.listeners.delete(listener)
    if (this.listeners.size === 0) this.end()
  }

  settled(kind: Settled, reply: ByteReader): void {
    this.asking = false
    if (this.gone) return
    try {
      if (kind === SETTLED.ANSWERED) this.read(reply)
      else this.refuseNew(unsettledProblem(kind))
    } catch (error) {
      this.refuseNew(problem('INTERNAL_ERROR', 'the state of what is watched could not be read'))
      this.ports.failed(error)
    }
  }

  /** One question at a time: a slow shard is asked more seldom. */
  ask(): void {
    if (this.asking || this.gone) return
    this.asking = true
    const { writer, transport } = this.ports
    writer.clear()
    writeCommand(writer, this.target.question)
    transport.call(this.target.shard, writer.buf, writer.pos, this)
  }

  private read(reply: ByteReader): void {
    readPosition(reply)
    const outcome = readOutcome(reply)
    if (isRefused(outcome)) {
      this.refuseNew(refusalOfPath(outcome))
      return
    }
    if (outcome.type !== OUTCOME.COUPON && outcome.type !== OUTCOME.CAMPAIGN) {
      throw new Error(`an outcome of type ${outcome.type} is no coupon and no campaign`)
    }
    const { uses, reserved, status } = outcome
    const state = `"uses":${uses},"reserved":${reserved},"remaining":${remainingUses(outcome)},"status":"${status}"}`
    if (state !== this.state) {
      this.state = state
      this.change += 1
    }
    // All of them, changed or not: one that was told just before the last change has not heard of it yet.
    for (const [listener, listening] of this.listeners) this.tell(listener, listening)
  }

  private tell(listener: TopicListener, listening: Listening): void {
    if (listening.change === this.change) return
    const nowMs = this.ports.monotonicMs()
    if (nowMs - listening.pushedAtMs < TOPIC_PUSH_GAP_MS) return
    listening.change = this.change
    listening.pushedAtMs = nowMs
    if (!listening.told) {
      listening.told = true
      listener.watching()
    }
    listener.push(listening.head + this.state)
  }

  /** Whoever has seen a state keeps waiting for the next; whoever has not is told why there is none. */
  private refuseNew(found: Problem): void {
    for (const [listener, { told }] of this.listeners) {
      if (told) continue
      this.listeners.delete(listener)
      listener.refused(found)
    }
    if (this.listeners.size === 0) this.end()
  }

  private end(): void {
    if (this.gone) return
    this.gone = true
    this.abandoned()
  }
}
