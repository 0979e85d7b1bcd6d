// The users of `claims.ts` as a process of their own.

import { answerParent } from '../children.ts'
import { runClaims } from './claims.ts'

answerParent(runClaims)
