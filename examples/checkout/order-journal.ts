// The shop's memory: one file of JSON lines, one event a line, in the order they happened. Written, then flushed, then
// believed.
//
//     {"type":"CART_SET","orderId":"o-1","at":"…",…}\n
//     {"type":"RESERVED","orderId":"o-1","at":"…",…}\n
//     {"type":"SUBM                                      a write that was cut off by a kill: never believed, so removed
//
// It stands where your database would: one row of "order", or a table of its events. What has to stay is that `append`
// returns only when the event would survive a power cut, and that one process at a time writes an order (here: one
// process; in a database: a lock on the order's row). A writing that fails ends the process: memory must not run ahead
// of the disk.

import { closeSync, fdatasyncSync, ftruncateSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { OrderEvent } from './orders.ts'

const NEWLINE = 10

export class OrderJournal {
  /** What stood in the file when it was opened. */
  readonly past: readonly OrderEvent[]
  private readonly file: number

  constructor(path: string) {
    this.file = openSync(path, 'a+', 0o600)
    const bytes = readFileSync(this.file)
    const wholeBytes = bytes.lastIndexOf(NEWLINE) + 1
    if (wholeBytes < bytes.length) ftruncateSync(this.file, wholeBytes)
    // What the last process wrote may never have been flushed: before anything is built on it, it has to be safe.
    fsyncSync(this.file)
    flushFolder(dirname(path))
    this.past = eventsOf(bytes.subarray(0, wholeBytes).toString('utf8'), path)
  }

  /** Returns when it is on disk; throws when it may not be, and then nothing more may be appended. */
  append(event: OrderEvent): void {
    const line = Buffer.from(`${JSON.stringify(event)}\n`, 'utf8')
    for (let written = 0; written < line.length; ) written += writeSync(this.file, line, written)
    fdatasyncSync(this.file)
  }

  close(): void {
    closeSync(this.file)
  }
}

function eventsOf(text: string, path: string): OrderEvent[] {
  const lines = text.split('\n').slice(0, -1)
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as OrderEvent
    } catch (cause) {
      throw new Error(`${path}:${index + 1} is damaged`, { cause })
    }
  })
}

/** A new file is only found again after a power cut when its folder was flushed too. */
function flushFolder(path: string): void {
  const folder = openSync(path, 'r')
  fsyncSync(folder)
  closeSync(folder)
}
