// The audit of a soak as a process of its own.

import { answerParent } from '../children.ts'
import { auditSoak } from './audit-log.ts'

answerParent(auditSoak)
