// The export of a campaign's codes, read as a client reads it: piece by piece, nothing held but the codes.

const LINE_END = 10
const COMMA = 44

export interface ExportedCodes {
  readonly codes: readonly string[]
  readonly bytes: number
  /** From the request to the last byte. */
  readonly elapsedMs: number
}

export async function exportCodes(baseUrl: string, campaignId: string): Promise<ExportedCodes> {
  const startMs = performance.now()
  const answer = await fetch(`${baseUrl}/v1/campaigns/${campaignId}/codes.csv`)
  if (answer.status !== 200 || answer.body === null) throw new Error(`the export answered ${answer.status}`)
  const pieces: Uint8Array[] = []
  for await (const piece of answer.body as unknown as AsyncIterable<Uint8Array>) pieces.push(piece)
  const elapsedMs = performance.now() - startMs
  const bytes = Buffer.concat(pieces)
  return { codes: codesIn(bytes), bytes: bytes.length, elapsedMs }
}

/** The first cell of every row but the header: codes have no letters that need quotes. */
function codesIn(bytes: Buffer): string[] {
  const codes: string[] = []
  for (let at = bytes.indexOf(LINE_END) + 1; at < bytes.length; ) {
    codes.push(bytes.toString('latin1', at, bytes.indexOf(COMMA, at)))
    const end = bytes.indexOf(LINE_END, at)
    at = end < 0 ? bytes.length : end + 1
  }
  return codes
}
