/**
 * How processes of a cluster get to know each other, until shards have leases: who owns the shards says so when asked, with what
 * a gateway has to know to route.
 *
 *     gateway ── who owns? ──▶ owner ──▶ deployment, durability        asked again until somebody answers
 *     owner   ── who owns? ──▶ nobody answers for a while ──▶ serves   somebody does: one of them must not run
 *
 * An owner listens before it asks, so of two that start at the same moment at least one hears of the other.
 */
import type { Deployment } from '../../../persistence/deployment.ts'
import type { Durability } from '../../../protocol/durability.ts'
import type { Bus, BusSubscription } from './bus.ts'
import type { Subjects } from './subjects.ts'

/** Questions before nobody is taken to be there, and between two, milliseconds. */
const QUESTIONS = 4
const PAUSE_MS = 250

/** What an owner says of itself. */
export interface Introduction {
  /** Of its process, made at its start. */
  readonly name: string
  readonly deployment: Deployment
  readonly durability: Durability
}

export interface Meeting {
  readonly bus: Bus
  readonly subjects: Subjects
  /** Of this process. */
  readonly name: string
}

/** Answers whoever asks, but this process itself. */
export function introduce({ bus, subjects, name }: Meeting, said: Omit<Introduction, 'name'>): BusSubscription {
  const { deployment, durability } = said
  const { secret, ...open } = deployment
  const text = JSON.stringify({ name, durability, ...open, secret: Buffer.from(secret).toString('base64') })
  return bus.subscribe(subjects.whoOwns, ({ payload, replyTo }) => {
    if (replyTo === '' || Buffer.from(payload).toString('utf8') === name) return
    bus.publish(replyTo, Buffer.from(text))
  })
}

/** Whoever owns the shards; null when nobody answers for a while. */
export async function askWhoOwns({ bus, subjects, name }: Meeting): Promise<Introduction | null> {
  const inbox = subjects.ownerAnswer(name)
  let answered: ((owner: Introduction) => void) | null = null
  const answer = new Promise<Introduction>((resolve) => {
    answered = resolve
  })
  const subscription = bus.subscribe(inbox, ({ payload, isUndelivered }) => {
    if (!isUndelivered) answered?.(introductionOf(payload))
  })
  try {
    // Only what was asked over a connection counts: silence says nothing while there is none.
    for (let question = 0; question < QUESTIONS; ) {
      const isAsked = bus.isConnected
      if (isAsked) bus.publish(subjects.whoOwns, Buffer.from(name), inbox)
      const owner = await Promise.race([answer, pause()])
      if (owner !== null) return owner
      question = isAsked && bus.isConnected ? question + 1 : 0
    }
    return null
  } finally {
    subscription.end()
  }
}

function introductionOf(payload: Uint8Array): Introduction {
  const said = JSON.parse(Buffer.from(payload).toString('utf8')) as Omit<Deployment, 'secret'> & {
    readonly name: string
    readonly durability: Durability
    readonly secret: string
  }
  const { name, durability, formatVersion, hashVersion, shards, createdAtMs } = said
  const secret = Uint8Array.from(Buffer.from(said.secret, 'base64'))
  return { name, durability, deployment: { formatVersion, hashVersion, shards, createdAtMs, secret } }
}

function pause(): Promise<null> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS, null))
}
