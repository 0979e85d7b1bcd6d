// A place for uploads in memory: it keeps the pieces, and says what became of each file.

import type { Imports, Upload } from '../../../gateway/codes/import-port.ts'
import type { ImportFormat } from '../../../protocol/jobs.ts'

type Fate = 'COMING' | 'FINISHED' | 'ABANDONED' | 'DISCARDED'

export class FakeUpload implements Upload {
  readonly format: ImportFormat
  readonly file: string
  readonly pieces: Buffer[] = []
  fate: Fate = 'COMING'
  private readonly place: FakeImports

  constructor(format: ImportFormat, file: string, place: FakeImports) {
    this.format = format
    this.file = file
    this.place = place
  }

  write(piece: Buffer): boolean {
    this.require('COMING')
    this.pieces.push(piece)
    this.place.changed()
    return !this.place.isSlow
  }

  whenDrained(goOn: () => void): void {
    setImmediate(goOn)
  }

  async finish(): Promise<{ readonly file: string; readonly bytes: number }> {
    this.become('COMING', 'FINISHED')
    if (this.place.isBroken) throw new Error('the disk is gone')
    return { file: this.file, bytes: this.bytes().length }
  }

  abandon(): void {
    this.become('COMING', 'ABANDONED')
  }

  discard(): void {
    this.become('FINISHED', 'DISCARDED')
  }

  bytes(): Buffer {
    return Buffer.concat(this.pieces)
  }

  private become(from: Fate, to: Fate): void {
    this.require(from)
    this.fate = to
    this.place.changed()
  }

  private require(fate: Fate): void {
    if (this.fate !== fate) throw new Error(`${this.file} is ${this.fate}, not ${fate}`)
  }
}

export class FakeImports implements Imports {
  readonly uploads: FakeUpload[] = []
  begun = 0
  hasRoom = true
  /** Every piece is more than is good, for a moment. */
  isSlow = false
  /** No file gets whole to the disk. */
  isBroken = false
  private wake: (() => void) | null = null

  receive(format: ImportFormat): FakeUpload | null {
    if (!this.hasRoom) return null
    const upload = new FakeUpload(format, `upload-${this.uploads.length}`, this)
    this.uploads.push(upload)
    return upload
  }

  started(): void {
    this.begun++
  }

  discard(file: string): void {
    const upload = this.uploads.find((one) => one.file === file)
    if (upload === undefined) throw new Error(`there is no ${file}`)
    upload.discard()
  }

  /** Something happened to an upload. */
  changed(): void {
    this.wake?.()
  }

  /** Settles when this is so. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }
}
