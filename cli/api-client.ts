/**
 * A server's API for commands that work through it: addresses, keys, problems as sentences.
 */
import { ReadableStream } from 'node:stream/web'
import type { Command } from 'commander'
import { configuration } from './configuration.ts'
import { settingsOf } from './setting-flags.ts'

const TIMEOUT_MS = 30_000

/** Adds `--url` and `--key`. */
export function addApiFlags(command: Command): Command {
  return command
    .option('--url <url>', 'address of the server (as HOST and PORT are set)')
    .option('--key <key>', 'an API key of role marketing or operations (or TEAROFF_API_KEY)')
}

export interface ApiFlags {
  readonly url?: string
  readonly key?: string
}

/** The server refused, or nobody answers. */
export class ApiFailed extends Error {
  override readonly name = 'ApiFailed'
}

export class ApiClient {
  private readonly base: string
  private readonly headers: Readonly<Record<string, string>>

  constructor({ url, key }: ApiFlags, environment: Readonly<Record<string, string | undefined>> = process.env) {
    const { TEAROFF_API_KEY: keyOfEnvironment, ...settings } = environment
    const apiKey = key ?? keyOfEnvironment
    this.base = (url ?? addressOf(settings)).replace(/\/+$/, '')
    this.headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
  }

  async get(path: string): Promise<Record<string, unknown>> {
    return await jsonOf(await this.call('GET', path, AbortSignal.timeout(TIMEOUT_MS)))
  }

  async post(path: string, body?: unknown): Promise<Record<string, unknown>> {
    return await jsonOf(await this.call('POST', path, AbortSignal.timeout(TIMEOUT_MS), body))
  }

  /** Sends a body of any size, piece by piece. */
  async upload(path: string, contentType: string, pieces: AsyncIterable<Uint8Array>): Promise<Record<string, unknown>> {
    const body = ReadableStream.from(pieces)
    return await jsonOf(await this.send('POST', path, null, { 'content-type': contentType }, { body, duplex: 'half' }))
  }

  /** An answer of any length, piece by piece. */
  async stream(path: string): Promise<AsyncIterable<Uint8Array>> {
    const { body } = await this.call('GET', path, null)
    if (body === null) throw new ApiFailed(`${this.base}${path} answered nothing`)
    return body
  }

  private async call(method: string, path: string, signal: AbortSignal | null, body?: unknown): Promise<Response> {
    if (body === undefined) return await this.send(method, path, signal, {}, {})
    return await this.send(method, path, signal, { 'content-type': 'application/json' }, { body: JSON.stringify(body) })
  }

  private async send(
    method: string,
    path: string,
    signal: AbortSignal | null,
    headers: Readonly<Record<string, string>>,
    rest: RequestInit,
  ): Promise<Response> {
    let response: Response
    try {
      response = await fetch(this.base + path, { method, signal, headers: { ...this.headers, ...headers }, ...rest })
    } catch (cause) {
      throw new ApiFailed(`no server answers at ${this.base}: ${reasonOf(cause)}`, { cause })
    }
    if (response.ok) return response
    throw new ApiFailed(refusalOf(response.status, await response.text()))
  }
}

function addressOf(environment: Readonly<Record<string, string | undefined>>): string {
  const { host, port } = configuration(settingsOf(environment, {}))
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

async function jsonOf(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>
}

function refusalOf(status: number, text: string): string {
  try {
    const { code, detail } = JSON.parse(text) as { readonly code?: unknown; readonly detail?: unknown }
    return `the server refused with ${String(code)}: ${String(detail)}`
  } catch {
    return `the server answered ${status}: ${text.slice(0, 200)}`
  }
}

/** fetch hides the reason in the cause. */
function reasonOf(error: unknown): string {
  const { cause } = error as { readonly cause?: unknown }
  const said = cause instanceof Error ? cause : error
  return said instanceof Error ? said.message || said.name : String(said)
}
