/**
 * Events about campaigns, jobs and days as bytes, behind the type byte (see `event-codec.ts`).
 */
import type { ByteReader, ByteWriter } from './bytes.ts'
import { readCampaign, writeCampaign } from './campaign.ts'
import { type CampaignEvent, EVENT } from './events.ts'
import { named } from './fields.ts'
import { JOB_ENDS, readJobErrors, readPlan, writeJobErrors, writePlan } from './jobs.ts'

const EDGES = ['STARTED', 'ENDED'] as const
const CAMPAIGN_SWITCHES = ['ENABLED', 'DISABLED'] as const

export function isCampaignEvent(event: { readonly type: number }): event is CampaignEvent {
  return event.type >= EVENT.CAMPAIGN_CREATED && event.type <= EVENT.BATCH_WINDOW_PASSED
}

export function writeCampaignEvent(w: ByteWriter, event: CampaignEvent): void {
  switch (event.type) {
    case EVENT.CAMPAIGN_CREATED:
    case EVENT.CAMPAIGN_CHANGED:
      w.varint(event.index)
      w.maybeText(event.by)
      writeCampaign(w, event.definition)
      return
    case EVENT.CAMPAIGN_SWITCHED:
      w.varint(event.index)
      w.maybeText(event.by)
      w.u8(CAMPAIGN_SWITCHES.indexOf(event.change))
      return
    case EVENT.CAMPAIGN_WINDOW_PASSED:
      w.varint(event.index)
      w.u8(EDGES.indexOf(event.edge))
      return
    case EVENT.JOB_STARTED:
      w.maybeText(event.by)
      writePlan(w, event.plan)
      return
    case EVENT.CODES_MADE:
      w.varint(event.jobSeq)
      w.varint(event.firstOrdinal)
      w.varint(event.count)
      w.range(event.letters)
      return
    case EVENT.JOB_PROGRESSED:
      w.varint(event.jobSeq)
      w.varint(event.processed)
      w.varint(event.failed)
      w.varint(event.total)
      w.varint(event.place)
      writeJobErrors(w, event.errors)
      return
    case EVENT.JOB_ENDED:
      w.varint(event.jobSeq)
      w.u8(JOB_ENDS.indexOf(event.end))
      w.maybeText(event.reason)
      return
    case EVENT.DAY_COUNTED:
      w.range(event.user)
      w.varint(event.limit + 1)
      w.varint(event.dayStartMs)
      w.varint(event.dayEndMs)
      w.varint(event.count)
      return
    case EVENT.BATCH_WINDOW_PASSED:
      w.varint(event.jobSeq)
      w.u8(EDGES.indexOf(event.edge))
      return
  }
}

export function readCampaignEvent(r: ByteReader, type: CampaignEvent['type']): CampaignEvent {
  switch (type) {
    case EVENT.CAMPAIGN_CREATED:
    case EVENT.CAMPAIGN_CHANGED:
      return { type, index: r.varint(), by: r.maybeText(), definition: readCampaign(r) }
    case EVENT.CAMPAIGN_SWITCHED:
      return { type, index: r.varint(), by: r.maybeText(), change: named(CAMPAIGN_SWITCHES, r.u8()) }
    case EVENT.CAMPAIGN_WINDOW_PASSED:
      return { type, index: r.varint(), edge: named(EDGES, r.u8()) }
    case EVENT.JOB_STARTED:
      return { type, by: r.maybeText(), plan: readPlan(r) }
    case EVENT.CODES_MADE:
      return { type, jobSeq: r.varint(), firstOrdinal: r.varint(), count: r.varint(), letters: r.range() }
    case EVENT.JOB_PROGRESSED:
      return {
        type,
        jobSeq: r.varint(),
        processed: r.varint(),
        failed: r.varint(),
        total: r.varint(),
        place: r.varint(),
        errors: readJobErrors(r),
      }
    case EVENT.JOB_ENDED:
      return { type, jobSeq: r.varint(), end: named(JOB_ENDS, r.u8()), reason: r.maybeText() }
    case EVENT.DAY_COUNTED:
      return {
        type,
        user: r.range(),
        limit: r.varint() - 1,
        dayStartMs: r.varint(),
        dayEndMs: r.varint(),
        count: r.varint(),
      }
    case EVENT.BATCH_WINDOW_PASSED:
      return { type, jobSeq: r.varint(), edge: named(EDGES, r.u8()) }
  }
}
