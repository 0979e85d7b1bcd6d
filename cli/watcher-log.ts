/**
 * What the watcher has to say in the log: a line an event, which names it and nobody in it. Whoever wants to know more looks
 * the event up by its id.
 */
import type { Logger } from 'pino'
import { OLD_NEWS_MS } from '../lifecycle/limits.ts'
import type { WatcherEvents } from '../lifecycle/watcher-host.ts'

/** Lines of one batch; the rest is one line more. */
const LINES_MAX = 20

export function watcherEvents(logger: Logger): WatcherEvents {
  const newsFromMs = Date.now() - OLD_NEWS_MS
  return {
    onFound: (found) => {
      const news = found.filter(({ atMs }) => atMs >= newsFromMs)
      for (const { type, id, atMs } of news.slice(0, LINES_MAX)) {
        logger.info({ event: type, id, at: new Date(atMs).toISOString() }, 'event')
      }
      if (news.length > LINES_MAX) logger.info({ events: news.length - LINES_MAX }, 'further events, see /v1/events')
    },
    onDied: (error, restartMs) => {
      logger.error({ err: error, restartMs }, 'the watcher died and is started again; events are refused meanwhile')
    },
    onDropped: (events) =>
      logger.warn({ events }, 'events of the gateway were dropped, because the watcher does not run'),
  }
}
