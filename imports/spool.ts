/**
 * Uploads on disk, as they came, until their job has ended:
 *
 *     imports/8f3c…e1.csv.part      coming in
 *     imports/8f3c…e1.csv           whole and flushed; a job names it
 *
 * A file that no job names is left from a crash before its job was logged: whoever sent it was told nothing, so it is removed.
 */
import { randomBytes } from 'node:crypto'
import { createWriteStream, readdirSync, renameSync, rmSync, statfsSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { FREE_BYTES_MIN, UPLOAD_WAITING_BYTES_MAX, UPLOADS_MAX } from './limits.ts'
import type { Upload } from '../gateway/codes/import-port.ts'
import { makeDirectoryDurably, syncDirectory } from '../persistence/durable-file.ts'
import type { ImportFormat } from '../protocol/jobs.ts'

const DIRECTORY = 'imports'
const PART = '.part'
const NAME_BYTES = 16

export class Spool {
  private readonly directory: string
  /** What lay here before anything came in. */
  private readonly left: readonly string[]
  private uploads = 0

  constructor(dataDir: string) {
    this.directory = join(dataDir, DIRECTORY)
    makeDirectoryDurably(this.directory)
    this.left = readdirSync(this.directory)
  }

  /** null: too many are coming in, or the disk is nearly full. */
  receive(format: ImportFormat): Upload | null {
    if (this.uploads >= UPLOADS_MAX || this.freeBytes() < FREE_BYTES_MIN) return null
    this.uploads++
    const file = `${randomBytes(NAME_BYTES).toString('hex')}.${format.toLowerCase()}`
    return new SpooledUpload(this.directory, file, () => {
      this.uploads--
    })
  }

  pathOf(file: string): string {
    return join(this.directory, file)
  }

  remove(file: string): void {
    rmSync(this.pathOf(file), { force: true })
  }

  /** Removes what earlier processes left and no job names. */
  sweep(named: ReadonlySet<string>): void {
    for (const file of this.left) if (!named.has(file)) this.remove(file)
  }

  private freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.directory)
    return bavail * bsize
  }
}

class SpooledUpload implements Upload {
  private readonly directory: string
  private readonly file: string
  private readonly ended: () => void
  private readonly stream: WriteStream
  private failure: Error | null = null
  private bytes = 0
  private hasEnded = false

  constructor(directory: string, file: string, ended: () => void) {
    this.directory = directory
    this.file = file
    this.ended = ended
    this.stream = createWriteStream(join(directory, file + PART), {
      flush: true,
      highWaterMark: UPLOAD_WAITING_BYTES_MAX,
    })
    this.stream.on('error', (error) => {
      this.failure ??= error
    })
  }

  write(piece: Buffer): boolean {
    this.bytes += piece.length
    return this.stream.write(piece)
  }

  whenDrained(goOn: () => void): void {
    if (this.failure !== null || !this.stream.writableNeedDrain) {
      goOn()
      return
    }
    const settle = (): void => {
      this.stream.off('drain', settle)
      this.stream.off('error', settle)
      goOn()
    }
    this.stream.on('drain', settle)
    this.stream.on('error', settle)
  }

  async finish(): Promise<{ readonly file: string; readonly bytes: number }> {
    try {
      await new Promise<void>((resolve, reject) => {
        if (this.failure !== null) {
          reject(this.failure)
          return
        }
        this.stream.on('error', reject)
        // `close` comes behind the flush.
        this.stream.on('close', resolve)
        this.stream.end()
      })
      const path = join(this.directory, this.file)
      renameSync(path + PART, path)
      syncDirectory(this.directory)
      this.end()
      return { file: this.file, bytes: this.bytes }
    } catch (error) {
      this.abandon()
      throw error
    }
  }

  abandon(): void {
    if (this.hasEnded) return
    this.end()
    this.stream.destroy()
    rmSync(join(this.directory, this.file + PART), { force: true })
  }

  private end(): void {
    if (!this.hasEnded) this.ended()
    this.hasEnded = true
  }
}
