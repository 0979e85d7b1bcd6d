/**
 * The read model as the gateway sees it: a thread that projects the log and answers lists, and one that searches.
 *
 *     log ──▶ projector ──▶ database ──▶ search        told of every batch, reads the database by itself
 *               lists ◀──┘                  └──▶ pages
 *
 * The search begins when the projector has opened the database, and ends before it is closed.
 */
import { THREAD_LIMITS } from './limits.ts'
import type { Answer, TellSearch, ToldByProjector, ToldBySearch } from './messages.ts'
import type { Question } from './queries.ts'
import { STOP_MS_MAX, ThreadHost } from '../engine/thread-host.ts'
import {
  type CouponFilter,
  type CouponName,
  type HistoryItem,
  type Listed,
  type PageRange,
  type Place,
  type ReadModel,
  ReadModelUnavailable,
  type RedemptionFilter,
  type ReservationFilter,
} from '../gateway/lists/read-model.ts'
import type { CampaignRef } from '../protocol/coupon.ts'
import type { SearchPage, SearchPort, SearchQuestion } from '../gateway/lists/search-port.ts'

export interface ReadModelEvents {
  /** The database did not fit, was dropped, and is built anew. */
  readonly onRebuilding: (reason: string) => void
  /** A thread died, and is started again after so long. */
  readonly onDied: (error: unknown, restartMs: number) => void
  /** So many entries can be searched from now on. */
  readonly onSearchable: (entries: number, tookMs: number) => void
}

export class ReadModelHost implements ReadModel, SearchPort {
  private readonly events: ReadModelEvents
  private readonly projector: ThreadHost<Question, Answer, never, ToldByProjector>
  private readonly searcher: ThreadHost<SearchQuestion, SearchPage, TellSearch, ToldBySearch>
  private isSearching = false
  private asOfMs = 0
  private searchBytes = 0

  constructor(dataDir: string, events: ReadModelEvents) {
    this.events = events
    const shared = {
      workerData: { dataDir },
      limits: THREAD_LIMITS,
      unavailable: (reason: string) => new ReadModelUnavailable(reason),
      onDied: events.onDied,
    }
    this.projector = new ThreadHost({
      ...shared,
      name: 'read model',
      entry: '../readmodel/projector-thread',
      onTold: (message) => this.hearProjector(message),
      onEnded: () => {
        this.asOfMs = 0
      },
    })
    this.searcher = new ThreadHost({
      ...shared,
      name: 'search',
      entry: '../readmodel/search-thread',
      onTold: (message) => this.hearSearch(message),
      onEnded: () => {
        this.searchBytes = 0
      },
    })
  }

  start(): void {
    this.projector.start()
  }

  /** Settles when the database is closed, or after a while: an open one is whole too. */
  async stop(): Promise<void> {
    const untilMs = performance.now() + STOP_MS_MAX
    await this.searcher.stop(untilMs)
    await this.projector.stop(untilMs)
  }

  /** Right before the process ends, see ThreadHost. */
  freeze(untilMs: number): void {
    this.searcher.freeze(untilMs)
    this.projector.freeze(untilMs)
  }

  async coupons(filter: CouponFilter, range: PageRange): Promise<Listed<string>> {
    return (await this.projector.ask({ list: 'coupons', filter, range })) as Listed<string>
  }

  async campaigns(range: PageRange): Promise<Listed<CampaignRef>> {
    return (await this.projector.ask({ list: 'campaigns', range })) as Listed<CampaignRef>
  }

  async couponsOfCampaign(campaign: CampaignRef, range: PageRange): Promise<Listed<CouponName>> {
    return (await this.projector.ask({ list: 'couponsOfCampaign', campaign, range })) as Listed<CouponName>
  }

  async history(coupon: CouponName, range: PageRange): Promise<Listed<HistoryItem>> {
    return (await this.projector.ask({ list: 'history', coupon, range })) as Listed<HistoryItem>
  }

  async redemptions(filter: RedemptionFilter, range: PageRange): Promise<Listed<Place>> {
    return (await this.projector.ask({ list: 'redemptions', filter, range })) as Listed<Place>
  }

  async reservations(filter: ReservationFilter, range: PageRange): Promise<Listed<Place>> {
    return (await this.projector.ask({ list: 'reservations', filter, range })) as Listed<Place>
  }

  async search(question: SearchQuestion): Promise<SearchPage> {
    return await this.searcher.ask(question)
  }

  indexBytes(): number {
    return this.searchBytes
  }

  lagMs(): number | null {
    return this.asOfMs === 0 ? null : Math.max(0, Date.now() - this.asOfMs)
  }

  private hearSearch(message: ToldBySearch): void {
    if (message.type === 'size') this.searchBytes = message.bytes
    else this.events.onSearchable(message.entries, message.tookMs)
  }

  private hearProjector(message: ToldByProjector): void {
    if (message.type === 'rebuilding') {
      this.events.onRebuilding(message.reason)
      this.searcher.tell({ type: 'reopen' })
      return
    }
    this.asOfMs = message.asOfMs
    if (this.isSearching) {
      this.searcher.tell(message)
      return
    }
    this.isSearching = true
    this.searcher.start()
  }
}
