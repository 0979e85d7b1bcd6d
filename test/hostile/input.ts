// An input: bytes for one connection, and what may come back. Whoever makes one knows what it is; whoever sends it does not.
//
//     http      one request on a kept connection          exactly one answer, as the document has it for the operation
//     raw       anything on a connection of its own       so many answers, then closed; or whatever comes before the close
//     messages  one frame on a kept WebSocket             so many answers
//     frames    anything behind a handshake of its own    answers, then one to a last message; or a close
//
// A case is an input in a file: the very bytes, and the names of the world they were made for, so that they can be sent to
// another server in which the same things have other ids and keys.

import { readFileSync, writeFileSync } from 'node:fs'

export interface Request {
  readonly via: 'http'
  readonly method: string
  /** A path of the document; '' : it has none, or not this method of it. */
  readonly template: string
  /** Statuses that are right here; null: any that is documented. */
  readonly statuses: readonly number[] | null
  /** No success may answer it. */
  readonly isWrong: boolean
  /** The server may take it for no HTTP, say so in its bare words and close. */
  readonly mayBreak: boolean
}

export interface Raw {
  readonly via: 'raw'
  /** null: the client ends its side, and whatever has come when the server closes is judged. */
  readonly answers: number | null
  /** The client sends no end and the server has to close, within its bound. */
  readonly isSlow: boolean
  /** The server's HTTP may not take it for none. */
  readonly isSound: boolean
}

export interface Messages {
  readonly via: 'messages'
  readonly answers: number
  /** The connection may be closed instead, with a code of the contract. */
  readonly mayClose: boolean
}

export interface Frames {
  readonly via: 'frames'
  /** Frames end where the bytes end, so that a message behind them is read as one. */
  readonly isWhole: boolean
}

export type Way = Request | Raw | Messages | Frames

export interface Input {
  readonly what: string
  readonly way: Way
  /** Sent one after the other, each in a turn of its own. */
  readonly pieces: readonly Buffer[]
}

interface CaseFile {
  readonly seed: number
  readonly index: number
  readonly what: string
  readonly faults: readonly string[]
  readonly way: Way
  readonly names: Readonly<Record<string, string>>
  readonly base64: readonly string[]
}

/** Where an input came from, and what the world was called then. */
export interface Origin {
  readonly seed: number
  readonly index: number
  readonly names: Readonly<Record<string, string>>
}

export function saveCase(file: string, { what, way, pieces }: Input, origin: Origin, faults: readonly string[]): void {
  const { seed, index, names } = origin
  const base64 = pieces.map((piece) => piece.toString('base64'))
  const content: CaseFile = { seed, index, what, faults, way, names, base64 }
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`)
}

/** The input of a case, with the names of another world in the place of its own. */
export function loadCase(file: string, names: Readonly<Record<string, string>>): Input {
  const found = JSON.parse(readFileSync(file, 'utf8')) as CaseFile
  const pieces = found.base64.map((text) => {
    let bytes = Buffer.from(text, 'base64').toString('latin1')
    for (const [name, old] of Object.entries(found.names)) bytes = bytes.replaceAll(old, names[name] ?? old)
    return Buffer.from(bytes, 'latin1')
  })
  return { what: found.what, way: found.way, pieces }
}
