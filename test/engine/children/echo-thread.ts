// A thread of a ThreadHost that does what the question says, and tells everything it is told.

import { parentPort } from 'node:worker_threads'
import type { FromThread, ToThread } from '../../../engine/thread-messages.ts'

const EXIT_CODE = 3

function say(message: FromThread<string, string>): void {
  parentPort?.postMessage(message)
}

parentPort?.on('message', (message: ToThread<string, string>) => {
  if (message.type === 'tell') say({ type: 'told', message: message.message })
  else if (message.type === 'stop') {
    say({ type: 'stopped' })
    parentPort?.close()
  } else if (message.question === 'die') process.exit(EXIT_CODE)
  else if (message.question === 'refuse') say({ type: 'refused', id: message.id, reason: 'not yet' })
  else if (message.question === 'fail') say({ type: 'failed', id: message.id, message: 'a defect' })
  else if (message.question !== 'be silent') say({ type: 'answer', id: message.id, answer: `${message.question}!` })
})
