/**
 * Commands about campaigns, jobs and imported rows as bytes, behind the type byte (see `command-codec.ts`).
 */
import type { ByteReader, ByteWriter } from './bytes.ts'
import { readCampaign, writeCampaign } from './campaign.ts'
import { COMMAND, type Command } from './commands.ts'
import { readDefinition, writeDefinition } from './coupon.ts'
import { named } from './fields.ts'
import { JOB_ENDS, readJobErrors, readPlan, writeJobErrors, writePlan } from './jobs.ts'

const SWITCHES = ['ENABLED', 'DISABLED'] as const

export type CampaignCommand<Text> = Exclude<
  Extract<Command<Text>, { readonly type: CampaignCommandType }>,
  { readonly type: typeof COMMAND.CLAIM }
>

type CampaignCommandType =
  | typeof COMMAND.GET_CAMPAIGN
  | typeof COMMAND.CREATE_CAMPAIGN
  | typeof COMMAND.CHANGE_CAMPAIGN
  | typeof COMMAND.SWITCH_CAMPAIGN
  | typeof COMMAND.START_JOB
  | typeof COMMAND.GET_JOB
  | typeof COMMAND.PROGRESS_JOB
  | typeof COMMAND.END_JOB
  | typeof COMMAND.LIST_CODES
  | typeof COMMAND.LIST_JOBS
  | typeof COMMAND.PUT_COUPON

export function writeCampaignCommand<Text>(w: ByteWriter, command: CampaignCommand<Text>): void {
  switch (command.type) {
    case COMMAND.GET_CAMPAIGN:
      w.varint(command.index)
      return
    case COMMAND.CREATE_CAMPAIGN:
      w.maybeText(command.by)
      writeCampaign(w, command.definition)
      return
    case COMMAND.CHANGE_CAMPAIGN:
      w.varint(command.index)
      w.maybeText(command.by)
      w.varint(command.ifVersion)
      writeCampaign(w, command.definition)
      return
    case COMMAND.SWITCH_CAMPAIGN:
      w.varint(command.index)
      w.maybeText(command.by)
      w.u8(SWITCHES.indexOf(command.change))
      return
    case COMMAND.START_JOB:
      w.maybeText(command.by)
      writePlan(w, command.plan)
      return
    case COMMAND.GET_JOB:
      w.varint(command.jobSeq)
      return
    case COMMAND.PROGRESS_JOB:
      w.varint(command.jobSeq)
      w.varint(command.processed)
      w.varint(command.failed)
      w.varint(command.total)
      w.varint(command.place)
      writeJobErrors(w, command.errors)
      return
    case COMMAND.END_JOB:
      w.varint(command.jobSeq)
      w.u8(JOB_ENDS.indexOf(command.end))
      w.maybeText(command.reason)
      return
    case COMMAND.LIST_CODES:
      w.varint(command.campaignIndex + 1)
      w.varint(command.jobSeq)
      w.varint(command.fromOrdinal)
      w.varint(command.limit)
      return
    case COMMAND.LIST_JOBS:
      return
    case COMMAND.PUT_COUPON:
      w.maybeText(command.by)
      w.varint(command.row.job.shard)
      w.varint(command.row.job.seq)
      w.varint(command.row.line)
      w.varint(command.row.uses)
      writeDefinition(w, command.definition)
      return
  }
}

export function readCampaignCommand(r: ByteReader, type: CampaignCommandType): CampaignCommand<never> {
  switch (type) {
    case COMMAND.GET_CAMPAIGN:
      return { type, index: r.varint() }
    case COMMAND.CREATE_CAMPAIGN:
      return { type, by: r.maybeText(), definition: readCampaign(r) }
    case COMMAND.CHANGE_CAMPAIGN:
      return { type, index: r.varint(), by: r.maybeText(), ifVersion: r.varint(), definition: readCampaign(r) }
    case COMMAND.SWITCH_CAMPAIGN:
      return { type, index: r.varint(), by: r.maybeText(), change: named(SWITCHES, r.u8()) }
    case COMMAND.START_JOB:
      return { type, by: r.maybeText(), plan: readPlan(r) }
    case COMMAND.GET_JOB:
      return { type, jobSeq: r.varint() }
    case COMMAND.PROGRESS_JOB:
      return {
        type,
        jobSeq: r.varint(),
        processed: r.varint(),
        failed: r.varint(),
        total: r.varint(),
        place: r.varint(),
        errors: readJobErrors(r),
      }
    case COMMAND.END_JOB:
      return { type, jobSeq: r.varint(), end: named(JOB_ENDS, r.u8()), reason: r.maybeText() }
    case COMMAND.LIST_CODES:
      return {
        type,
        campaignIndex: r.varint() - 1,
        jobSeq: r.varint(),
        fromOrdinal: r.varint(),
        limit: r.varint(),
      }
    case COMMAND.LIST_JOBS:
      return { type }
    case COMMAND.PUT_COUPON: {
      const by = r.maybeText()
      const row = { job: { shard: r.varint(), seq: r.varint() }, line: r.varint(), uses: r.varint() }
      return { type, by, row, definition: readDefinition(r) }
    }
  }
}
