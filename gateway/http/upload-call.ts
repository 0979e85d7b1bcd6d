/**
 * UploadCall: a request whose body goes to disk as it comes, whatever its size, before its operation starts.
 *
 *     head ──▶ refused at once (role, media type, no room)
 *      └─────▶ piece ──▶ upload ──(the disk is slow)──▶ socket paused ──▶ resumed
 *                └─ the last ──▶ flushed ──▶ operation ──▶ answered | refused (then the file is dropped, unless a job may name it)
 */
import { createHash } from 'node:crypto'
import type { HttpResponse } from 'uWebSockets.js'
import { HttpCall } from './http-call.ts'
import type { HttpServices } from './http-services.ts'
import type { Imports, Upload } from '../codes/import-port.ts'
import { OVERLOADED_RETRY_AFTER_S } from '../limits.ts'
import type { RouteMeter } from '../operator/meters.ts'
import type { Answer } from '../operations/operations.ts'
import { type Problem, problem } from '../problem.ts'
import type { Route } from './routes.ts'
import type { ImportFormat } from '../../protocol/jobs.ts'

const TYPES: Readonly<Record<string, ImportFormat>> = { 'text/csv': 'CSV', 'application/x-ndjson': 'NDJSON' }

const NOT_A_FILE = problem('UNSUPPORTED_MEDIA_TYPE', 'send the body as text/csv or application/x-ndjson, in UTF-8')
const NO_ROOM: Problem = {
  ...problem('OVERLOADED', 'nothing was done; too many uploads are under way, or the disk is nearly full'),
  retryAfterSeconds: OVERLOADED_RETRY_AFTER_S,
}
const NOT_WRITTEN = problem('SHARD_UNAVAILABLE', 'nothing was done; the file could not be written')

export class UploadCall extends HttpCall {
  private readonly imports: Imports
  private readonly failed: (error: unknown) => void
  /** null: ended or aborted. */
  private socket: HttpResponse | null
  private upload: Upload | null = null
  private readonly hash = createHash('sha256')
  private format: ImportFormat = 'CSV'
  private file = ''
  private isPaused = false

  constructor(services: HttpServices, route: Route, meter: RouteMeter, res: HttpResponse, imports: Imports) {
    super(services, route, meter, res)
    this.imports = imports
    this.failed = services.ports.failed
    this.socket = res
  }

  /** False: the request was refused. */
  open(contentType: string): boolean {
    const format = TYPES[(contentType.split(';')[0] as string).trim().toLowerCase()]
    if (format === undefined) {
      this.refused(NOT_A_FILE, '')
      return false
    }
    this.format = format
    this.upload = this.imports.receive(format)
    if (this.upload === null) this.refused(NO_ROOM, '')
    return this.upload !== null
  }

  override aborted(): void {
    this.socket = null
    this.drop()
    super.aborted()
  }

  override data(chunk: ArrayBuffer, isLast: boolean): void {
    const { upload } = this
    if (upload === null) return
    // The chunk is taken back when this returns.
    const piece = Buffer.from(Buffer.from(chunk))
    this.hash.update(piece)
    const hasRoom = upload.write(piece)
    if (isLast) {
      this.finish(upload)
    } else if (!hasRoom && !this.isPaused) {
      this.pause(upload)
    }
  }

  /** What is on its way already still comes. */
  private pause(upload: Upload): void {
    this.isPaused = true
    this.socket?.pause()
    upload.whenDrained(() => {
      this.isPaused = false
      this.socket?.resume()
    })
  }

  override answered(answer: Answer): void {
    // An earlier call with the same key brought the file that its job names.
    if (answer.replayed) this.forget()
    this.socket = null
    super.answered(answer)
  }

  override refused(found: Problem, position: string): void {
    if (found.status < 500 || found.code === 'OVERLOADED' || found.code === 'SHARD_UNAVAILABLE') this.forget()
    this.socket = null
    super.refused(found, position)
  }

  private finish(upload: Upload): void {
    this.upload = null
    upload.finish().then(
      ({ file, bytes }) => {
        this.file = file
        this.received = { format: this.format, file, bytes }
        this.body = { format: this.format, bytes, sha256: this.hash.digest('hex') }
        this.begin(null)
      },
      (error: unknown) => {
        this.failed(error)
        this.refused(NOT_WRITTEN, '')
      },
    )
  }

  private drop(): void {
    this.upload?.abandon()
    this.upload = null
  }

  /** No job names the file. */
  private forget(): void {
    this.drop()
    if (this.file !== '') this.imports.discard(this.file)
  }
}
