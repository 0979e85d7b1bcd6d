// Lines of strace: from text to calls, each with the place in the trace where it was seen to begin and to end.
//
//     23955 1795201686.457 pwrite64(25</d/000001.mdb>, "\2\0…", 4096, 8192) = 4096        begins and ends in one line
//     23943 1795201686.488 fdatasync(27</d/000001.mdb> <unfinished ...>                    begins here
//     23943 1795201686.491 <... fdatasync resumed>) = 0                                   ends here
//
// Places, not times, are compared. A thread is stopped before its call is carried out and again behind it, and each stop
// is written down before it goes on. So where line A stands before line B, an end in A was before a beginning in B.

export interface TracedCall {
  readonly name: string
  /** What the descriptor stands for: a path, or `TCP:[from->to]`. */
  readonly target: string
  /** Bytes handed over, one character each; '' where there are none. */
  readonly bytes: string
  /** Of pwrite64; -1 elsewhere. */
  readonly offset: number
  /** Line in which the call began. */
  readonly beginsAt: number
  /** Line in which it ended; infinite when the trace ends before. */
  readonly endsAt: number
  /** -1 when it failed or never ended. */
  readonly result: number
  /** For people who look for it in the trace. */
  readonly atSeconds: number
}

const LINE = /^(\d+) +(\d+\.\d+) (.*)$/s
const RESUMED = /^<\.\.\. (\w+) resumed>(.*)$/s
const UNFINISHED = ' <unfinished ...>'
const CALL = /^(\w+)\(\d+<(.*?)>(?:,|\)|$)/s
const STRING = /"((?:[^"\\]|\\.)*)"/gs
const RESULT = /\) += (-?\d+)/

/** A call as strace wrote it, put together where others came in between. */
export interface WholeCall {
  /** The call with its arguments and, behind `) = `, its result; without it the trace ends before the call does. */
  readonly text: string
  readonly beginsAt: number
  readonly endsAt: number
  readonly atSeconds: number
}

/** All calls, by the place of their beginning. */
export function wholeCalls(trace: string): WholeCall[] {
  const begun = new Map<string, WholeCall>()
  const calls: WholeCall[] = []
  const lines = trace.split('\n')
  for (const [at, line] of lines.entries()) {
    const parts = LINE.exec(line)
    if (parts === null) continue
    const [, thread, seconds, text] = parts as unknown as [string, string, string, string]
    const resumed = RESUMED.exec(text)
    if (resumed !== null) {
      const beginning = begun.get(thread)
      begun.delete(thread)
      if (beginning !== undefined)
        calls.push({ ...beginning, text: beginning.text + (resumed[2] as string), endsAt: at })
    } else if (text.endsWith(UNFINISHED)) {
      const beginning = { text: text.slice(0, -UNFINISHED.length), beginsAt: at, atSeconds: Number(seconds) }
      begun.set(thread, { ...beginning, endsAt: Number.POSITIVE_INFINITY })
    } else {
      calls.push({ text, beginsAt: at, endsAt: at, atSeconds: Number(seconds) })
    }
  }
  // Begun and not ended: the process was gone first, but its bytes may have left.
  calls.push(...begun.values())
  return calls.sort((a, b) => a.beginsAt - b.beginsAt)
}

/** Calls on descriptors, by the place of their beginning. */
export function tracedCalls(trace: string): TracedCall[] {
  return wholeCalls(trace).flatMap((call) => callOnDescriptor(call) ?? [])
}

function callOnDescriptor({ text, beginsAt, endsAt, atSeconds }: WholeCall): TracedCall | null {
  const head = CALL.exec(text)
  if (head === null) return null
  const [, name, target] = head as unknown as [string, string, string]
  const tail = text.slice(text.lastIndexOf('"') + 1)
  const result = RESULT.exec(tail)
  const offset = name === 'pwrite64' ? Number(/^, \d+, (\d+)/.exec(tail)?.[1] ?? -1) : -1
  return {
    name,
    target,
    bytes: stringsOf(text).join(''),
    offset,
    beginsAt,
    endsAt: result === null ? Number.POSITIVE_INFINITY : endsAt,
    result: result === null ? -1 : Number(result[1]),
    atSeconds,
  }
}

/** The strings among the arguments, one character a byte. */
export function stringsOf(text: string): string[] {
  return [...text.matchAll(STRING)].map((found) => unescaped(found[1] as string))
}

const LETTERS: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', v: '\v', f: '\f', '"': '"', '\\': '\\' }

function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{1,3}|.)/gs, (_, code: string) =>
    code in LETTERS ? (LETTERS[code] as string) : String.fromCharCode(Number.parseInt(code, 8)),
  )
}
