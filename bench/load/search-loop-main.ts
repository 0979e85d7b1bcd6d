// The open loop of searches as a process of its own.

import { answerParent } from '../children.ts'
import { runSearchLoop } from './search-loop.ts'

answerParent(runSearchLoop)
