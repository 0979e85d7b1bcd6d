/**
 * Calls to a running server, for the tools that hold it against its log or ask it where it is.
 */
import { answerPositions, type AnswerPosition, UsageFault } from './positions.ts'

const TIMEOUT_MS = 10_000

export interface ServerReply {
  readonly status: number
  /** `X-Tearoff-Position`; '' where no shard answered. */
  readonly position: string
  /** The parsed body; null where it is no JSON. */
  readonly body: unknown
}

export interface ServerCalls {
  readonly url: string
  /** Throws UsageFault when nobody answers. */
  get(path: string): Promise<ServerReply>
}

/** `key`: an API key; null where the server wants none. */
export function serverCalls(url: string, key: string | null): ServerCalls {
  const base = url.replace(/\/+$/, '')
  return {
    url: base,
    async get(path) {
      let response: Response
      try {
        response = await fetch(base + path, {
          headers: key === null ? {} : { authorization: `Bearer ${key}` },
          signal: AbortSignal.timeout(TIMEOUT_MS),
        })
      } catch (cause) {
        throw new UsageFault(`no server answers at ${base}: ${reasonOf(cause)}`)
      }
      const text = await response.text()
      return { status: response.status, position: response.headers.get('x-tearoff-position') ?? '', body: jsonOf(text) }
    },
  }
}

/** The moment that a reply of one shard was made at; null: it names none. */
export function positionFrom({ position }: ServerReply, shards: number): AnswerPosition | null {
  return position === '' ? null : (answerPositions(position, shards)[0] ?? null)
}

/** All of them, where a reply was made of several shards; empty: it names none. */
export function positionsFrom({ position }: ServerReply, shards: number): readonly AnswerPosition[] {
  return position === '' ? [] : answerPositions(position, shards)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** fetch hides the reason in the cause. */
function reasonOf(error: unknown): string {
  const { cause } = error as { readonly cause?: unknown }
  const said = cause instanceof Error ? cause : error
  return said instanceof Error ? said.message || said.name : String(said)
}
