// The open-loop generator as a process of its own.

import { answerParent } from '../children.ts'
import { runOpenLoop } from './open-loop.ts'

answerParent(runOpenLoop)
