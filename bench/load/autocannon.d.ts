// The part of autocannon that the bench uses; the package has no types of its own.

declare module 'autocannon' {
  interface Request {
    method?: string
    path?: string
    headers?: Record<string, string>
    body?: string
    setupRequest?: (request: Request) => Request
  }

  interface Result {
    /** Seconds. */
    duration: number
    '2xx': number
    non2xx: number
    /** Connection errors, time-outs included. */
    errors: number
    timeouts: number
  }

  export default function autocannon(options: {
    url: string
    connections: number
    /** Seconds. */
    duration: number
    pipelining: number
    requests: Request[]
  }): Promise<Result>
}
