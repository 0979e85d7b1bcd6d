// Takes the lock of a directory, says so, and keeps it until it is killed or told to go.
import { lockDirectory } from '../../../persistence/directory-lock.ts'

try {
  const lock = lockDirectory(process.argv[2] ?? '')
  process.stdout.write('locked\n')
  process.stdin.once('data', () => {
    lock.release()
    process.exit(0)
  })
} catch (error) {
  process.stdout.write(`${(error as Error).message}\n`)
  process.exit(1)
}
