// The client of columns as a process of its own.

import { answerParent } from '../children.ts'
import { runColumns } from './columns.ts'

answerParent(runColumns)
