/**
 * Small files that must be there, whole, after a power cut: written beside their place, flushed, renamed into it, and
 * the directory flushed. A reader sees the old content, the new content or no file, never a part. Only for files
 * written once in a while (the deployment, sidecars of segments): every call costs two or three flushes and blocks.
 */

import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { threadId } from 'node:worker_threads'

/** Several threads may write the same file at once, as they do when they seal segments. Throws the error of the file system. */
export function writeFileDurably(path: string, text: string, mode = 0o644): void {
  const draft = `${path}.${process.pid}-${threadId}.draft`
  const fd = openSync(draft, 'w', mode)
  try {
    writeFileSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(draft, path)
  syncDirectory(dirname(path))
}

/**
 * Makes a directory, with those above it where they are missing, and their names durable. Also the name of one that is there:
 * whoever made it may have been stopped before it was. Throws the error of the file system.
 */
export function makeDirectoryDurably(path: string): void {
  const wanted = resolve(path)
  const first = resolve(mkdirSync(wanted, { recursive: true }) ?? wanted)
  for (let made = wanted; ; made = dirname(made)) {
    syncDirectory(dirname(made))
    if (made === first) return
  }
}

/** Makes the names in a directory durable: a new file may otherwise be gone after a power cut, though its bytes are not. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
