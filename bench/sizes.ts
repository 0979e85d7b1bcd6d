// How large every workload is: the one place that says how long the bench takes and what it may hold in memory.
//
// FULL is what the published figures come from; SMALL takes seconds a workload (`held`: twenty, for three snapshots) and
// runs inside the tests, so that no workload rots. Both go through the same code. A workload must never contain a bound of
// its own: whoever wants to know why a run took so long looks here only.

export interface CheckoutSize {
  readonly ratePerSecond: number
  /** Measured time; the warm-up comes before it, at the same rate, and counts for errors but not for latency. */
  readonly seconds: number
  readonly warmupSeconds: number
  readonly connections: number
  /** How long late answers are waited for after the last intended send time; what is still open then is an error. */
  readonly drainSeconds: number
}

export interface CeilingSize {
  readonly connections: readonly number[]
  readonly rounds: number
  readonly secondsPerRun: number
  readonly warmupSeconds: number
}

export interface ColumnsSize {
  readonly seconds: number
  readonly rowsPerFrame: number
  /** Frames are encoded before the clock starts, 18 bytes a row; a run ends early when they are used up. */
  readonly rowsMax: number
  readonly framesInFlight: number
}

export interface SpreadSize {
  readonly coupons: number
  readonly zipfExponent: number
  readonly connections: number
  readonly rounds: number
  readonly secondsPerRun: number
  readonly warmupSeconds: number
  /** Length of the drawn sequence of codes; the load walks it in a circle. */
  readonly draws: number
}

export interface StackedSize {
  /** The last one is the one that is measured with other numbers of workers too. */
  readonly connections: readonly number[]
  readonly rounds: number
  readonly secondsPerRun: number
  readonly warmupSeconds: number
}

export interface HeldSize {
  readonly ratePerSecond: number
  readonly seconds: number
  readonly warmupSeconds: number
  readonly connections: number
  readonly drainSeconds: number
  /** Latencies are summed up for stretches of so long. */
  readonly sliceSeconds: number
  readonly footprintEverySeconds: number
  /** Fewer and the run has not shown what it is for. */
  readonly snapshotsMin: number
}

export interface ReadModelSize {
  readonly ratePerSecond: number
  readonly rounds: number
  readonly seconds: number
  readonly warmupSeconds: number
  readonly connections: number
  readonly drainSeconds: number
}

export interface SearchSize {
  /** Described separately. */
  readonly coupons: number
  readonly createConnections: number
  readonly redemptionsPerSecond: number
  readonly searchesPerSecond: number
  readonly seconds: number
  readonly warmupSeconds: number
  /** Of those who redeem. */
  readonly connections: number
  readonly searchConnections: number
  readonly drainSeconds: number
}

export interface ClaimsSize {
  /** Users for as many coupons. */
  readonly paceUsers: number
  readonly scarceUsers: number
  readonly scarceCoupons: number
  /** In so many crowds, each after the locks of the one before. */
  readonly crowds: number
  readonly lockSeconds: number
  readonly messagesPerFrame: number
  readonly framesInFlight: number
  readonly connections: number
}

export interface ImportSize {
  readonly rows: number
}

export interface RecoverySize {
  readonly columnRows: number
  readonly rowsPerFrame: number
  readonly framesInFlight: number
  /** Redemptions sent one by one over HTTP, so that the log holds both kinds. */
  readonly singleRedemptions: number
  readonly singleRatePerSecond: number
  readonly connections: number
  /** A start from a snapshot: so many rows before the only one, so many behind it. */
  readonly snapshotRows: number
  readonly tailRows: number
}

export interface CodesSize {
  readonly codes: number
  /** Runs by turns of codes with limits and without; each has codes of its own. */
  readonly rounds: number
  readonly connections: number
  readonly secondsPerRun: number
  readonly warmupSeconds: number
  /** Codes made for a second of a run: more than it can redeem. */
  readonly codesPerSecond: number
}

export interface MemorySize {
  readonly codes: number
  readonly users: number
  /** The slope of memory over codes is taken from here to ten times as many. */
  readonly slopeFrom: number
  readonly rowsPerFrame: number
  readonly framesInFlight: number
  /** Rows that are encoded at a time. */
  readonly rowsPerRun: number
  /** Between samples of the same step. */
  readonly sampleEveryMs: number
}

export interface ReadySize {
  readonly codes: number
  /** Users of whom each claims one of the codes and redeems it, before the snapshots. */
  readonly claims: number
  readonly connections: number
  readonly messagesPerFrame: number
  /** Redemptions by columns before the only snapshots that are awaited, as many as make them due, and behind them. */
  readonly rowsBefore: number
  readonly rowsBehind: number
  readonly rowsPerFrame: number
  readonly framesInFlight: number
}

export interface PeersSize {
  readonly connections: readonly number[]
  readonly rounds: number
  readonly secondsPerRun: number
  readonly warmupSeconds: number
}

export interface BenchSize {
  readonly checkout: CheckoutSize
  readonly ceiling: CeilingSize
  readonly columns: ColumnsSize
  readonly spread: SpreadSize
  readonly stacked: StackedSize
  readonly recovery: RecoverySize
  readonly readModel: ReadModelSize
  readonly search: SearchSize
  readonly claims: ClaimsSize
  readonly import: ImportSize
  readonly held: HeldSize
  readonly codes: CodesSize
  readonly memory: MemorySize
  readonly ready: ReadySize
  /** A bench of its own, `npm run bench:peers`. */
  readonly peers: PeersSize
  /** Appends of the raw disk measurement. */
  readonly diskSyncs: number
}

/** 65,536 redemptions in flight are what the contract allows on one connection: 16 frames of 4,096 rows. */
const FRAMES_IN_FLIGHT = 16
const ROWS_PER_FRAME = 4_096

export const FULL: BenchSize = {
  checkout: { ratePerSecond: 10_000, seconds: 30, warmupSeconds: 3, connections: 128, drainSeconds: 10 },
  ceiling: { connections: [64, 256], rounds: 3, secondsPerRun: 3, warmupSeconds: 2 },
  columns: { seconds: 10, rowsPerFrame: ROWS_PER_FRAME, rowsMax: 16_000_000, framesInFlight: FRAMES_IN_FLIGHT },
  spread: {
    coupons: 10_000,
    zipfExponent: 1,
    connections: 256,
    rounds: 3,
    secondsPerRun: 3,
    warmupSeconds: 2,
    draws: 262_144,
  },
  recovery: {
    columnRows: 2_500_000,
    rowsPerFrame: ROWS_PER_FRAME,
    framesInFlight: FRAMES_IN_FLIGHT,
    singleRedemptions: 10_000,
    singleRatePerSecond: 5_000,
    connections: 64,
    snapshotRows: 4_000_000,
    tailRows: 1_000_000,
  },
  stacked: { connections: [64, 256], rounds: 3, secondsPerRun: 3, warmupSeconds: 2 },
  readModel: { ratePerSecond: 10_000, rounds: 3, seconds: 30, warmupSeconds: 5, connections: 128, drainSeconds: 10 },
  claims: {
    paceUsers: 200_000,
    scarceUsers: 200_000,
    scarceCoupons: 10_000,
    crowds: 10,
    lockSeconds: 2,
    messagesPerFrame: 64,
    framesInFlight: 8,
    connections: 2,
  },
  import: { rows: 1_000_000 },
  codes: {
    codes: 1_000_000,
    rounds: 3,
    connections: 128,
    secondsPerRun: 3,
    warmupSeconds: 2,
    codesPerSecond: 80_000,
  },
  memory: {
    codes: 10_000_000,
    users: 5_000_000,
    slopeFrom: 1_000_000,
    rowsPerFrame: ROWS_PER_FRAME,
    framesInFlight: FRAMES_IN_FLIGHT,
    rowsPerRun: 5_000_000,
    sampleEveryMs: 1_000,
  },
  ready: {
    codes: 10_000_000,
    claims: 200_000,
    connections: 2,
    messagesPerFrame: 64,
    // The product's own number of events that make snapshots due, and four times as many behind them.
    rowsBefore: 1_000_000,
    rowsBehind: 4_000_000,
    rowsPerFrame: ROWS_PER_FRAME,
    framesInFlight: FRAMES_IN_FLIGHT,
  },
  search: {
    coupons: 1_000_000,
    createConnections: 128,
    redemptionsPerSecond: 2_000,
    searchesPerSecond: 50,
    seconds: 60,
    warmupSeconds: 5,
    connections: 64,
    searchConnections: 16,
    drainSeconds: 10,
  },
  held: {
    ratePerSecond: 10_000,
    seconds: 600,
    warmupSeconds: 5,
    connections: 128,
    drainSeconds: 10,
    sliceSeconds: 10,
    footprintEverySeconds: 10,
    snapshotsMin: 3,
  },
  peers: { connections: [64, 256], rounds: 3, secondsPerRun: 3, warmupSeconds: 2 },
  diskSyncs: 2_000,
}

export const SMALL: BenchSize = {
  checkout: { ratePerSecond: 500, seconds: 1, warmupSeconds: 0.2, connections: 16, drainSeconds: 5 },
  ceiling: { connections: [8], rounds: 1, secondsPerRun: 1, warmupSeconds: 0 },
  columns: { seconds: 1, rowsPerFrame: 512, rowsMax: 8_192, framesInFlight: 4 },
  spread: {
    coupons: 50,
    zipfExponent: 1,
    connections: 8,
    rounds: 1,
    secondsPerRun: 1,
    warmupSeconds: 0,
    draws: 1_024,
  },
  recovery: {
    columnRows: 8_192,
    rowsPerFrame: 512,
    framesInFlight: 4,
    singleRedemptions: 200,
    singleRatePerSecond: 500,
    connections: 8,
    snapshotRows: 8_192,
    tailRows: 2_048,
  },
  stacked: { connections: [8], rounds: 1, secondsPerRun: 1, warmupSeconds: 0 },
  readModel: { ratePerSecond: 300, rounds: 1, seconds: 2, warmupSeconds: 0.5, connections: 16, drainSeconds: 5 },
  claims: {
    paceUsers: 300,
    scarceUsers: 200,
    scarceCoupons: 20,
    crowds: 2,
    lockSeconds: 1,
    messagesPerFrame: 8,
    framesInFlight: 2,
    connections: 2,
  },
  import: { rows: 500 },
  codes: { codes: 20_000, rounds: 1, connections: 8, secondsPerRun: 1, warmupSeconds: 0, codesPerSecond: 40_000 },
  memory: {
    codes: 40_000,
    users: 16_384,
    slopeFrom: 4_000,
    rowsPerFrame: 512,
    framesInFlight: 4,
    rowsPerRun: 8_192,
    sampleEveryMs: 50,
  },
  ready: {
    codes: 8_000,
    claims: 200,
    connections: 2,
    messagesPerFrame: 8,
    rowsBefore: 8_192,
    rowsBehind: 4_096,
    rowsPerFrame: 256,
    framesInFlight: 4,
  },
  search: {
    coupons: 500,
    createConnections: 8,
    redemptionsPerSecond: 100,
    searchesPerSecond: 50,
    seconds: 2,
    warmupSeconds: 0.5,
    connections: 8,
    searchConnections: 4,
    drainSeconds: 5,
  },
  held: {
    ratePerSecond: 300,
    seconds: 20,
    warmupSeconds: 1,
    connections: 16,
    drainSeconds: 5,
    sliceSeconds: 2,
    footprintEverySeconds: 2,
    snapshotsMin: 3,
  },
  peers: { connections: [8], rounds: 1, secondsPerRun: 1, warmupSeconds: 0 },
  diskSyncs: 50,
}

/** Bytes a row of the encoded frames: one length byte and eight letters for the user, the same for the order. */
const BYTES_PER_ROW = 18

/** All frames of one run together; beyond it the run is shortened instead. */
const FRAME_BYTES_MAX = 1_000_000_000

/** What the columns run reserves a second when its length is changed; FULL keeps the same proportion. */
const ROWS_PER_SECOND_RESERVED = 1_600_000

/** The same sizes with another length of the `checkout` and `columns` runs. */
export function withSeconds(size: BenchSize, seconds: number): BenchSize {
  const rowsMax = Math.min(Math.ceil(seconds * ROWS_PER_SECOND_RESERVED), Math.floor(FRAME_BYTES_MAX / BYTES_PER_ROW))
  return {
    ...size,
    checkout: { ...size.checkout, seconds },
    columns: { ...size.columns, seconds, rowsMax },
  }
}

/** The same sizes with other numbers of codes and users in memory. */
export function withMemory(size: BenchSize, codes: number | undefined, users: number | undefined): BenchSize {
  const { memory } = size
  return { ...size, memory: { ...memory, codes: codes ?? memory.codes, users: users ?? memory.users } }
}

/** The same sizes with another number of coupons to search. */
export function withCoupons(size: BenchSize, coupons: number): BenchSize {
  return { ...size, search: { ...size.search, coupons } }
}

/** The same sizes with another length of the `held` run. */
export function withMinutes(size: BenchSize, minutes: number): BenchSize {
  return { ...size, held: { ...size.held, seconds: minutes * 60 } }
}

/** Codes of one job of the memory and ready runs, as many as the contract allows. */
export const CODES_PER_JOB = 5_000_000

/** Longer than any run of columns on one shard. */
export const COLUMNS_RUN_SECONDS_MAX = 100

/** Every child process that is given no other limit ends after this, whatever it is doing. */
export const CHILD_TIME_LIMIT_MS = 120_000

/** A product that is not ready by then has failed; replay of the recovery workload has to fit in. */
export const READY_TIME_LIMIT_MS = 60_000

/** Snapshots are made at the lowest priority there is, at most so many bytes a second: four million orders take a while. */
export const SNAPSHOTS_TIME_LIMIT_MS = 180_000

/** After SIGTERM; the contract promises exit within ten seconds. */
export const STOP_TIME_LIMIT_MS = 12_000
